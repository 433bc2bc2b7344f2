"""Our signals as Sentry's: events, transactions, sessions, check-ins and logs."""
