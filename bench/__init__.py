"""What qmon costs, beside named peers in the same run: `nox -s bench`."""
