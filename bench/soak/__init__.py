"""The soak: a live agent under a steady load for as long as is asked, held to budgets."""
