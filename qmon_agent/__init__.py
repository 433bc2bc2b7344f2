"""The qmon agent: takes signals, keeps them, judges them, tells about them."""
