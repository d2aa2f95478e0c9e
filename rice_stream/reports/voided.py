"""Leaving out prompts that were voided, where a report reads records alone."""


def not_voided(row: str) -> str:
    """Whether a row of `prompt_record` was not voided, in SQL: voided ones are few, and looked up once.

    Who sees some teams only sees no groups of corrections, and so is told of voided prompts as of others here.
    """
    voided = "SELECT v.tenant_key, v.event_key FROM adjustment v WHERE v.cause = 'void' AND v.event_key IS NOT NULL"
    return f"({row}.tenant_key, {row}.event_key) NOT IN ({voided})"
