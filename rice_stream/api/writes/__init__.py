"""Routes that change something: each in one transaction with its entry in the audit trail."""
