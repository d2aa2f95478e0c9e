"""Carbon and energy budgets: what they are, the periods they are judged over, their states, and the alerts.

Pure: totals and `now` come in as values, changes go out as values. The shell fetches and commits:

    for period in due_periods(budget, state, now):
        state, transitions = judge(budget, state, consumed_in(period), period, now)
        # in one transaction: the state where it differs, and alert_event(...) of each transition into the outbox
"""
