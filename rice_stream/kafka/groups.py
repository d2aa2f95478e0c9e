"""What the broker says of consumer groups."""

from confluent_kafka import ConsumerGroupState, KafkaException
from confluent_kafka.admin import AdminClient


def is_stable(admin: AdminClient, group_id: str, timeout_s: float) -> bool:
    """Whether the members of the group share its partitions, and none is about to join or leave."""
    try:
        group = admin.describe_consumer_groups([group_id], request_timeout=timeout_s)[group_id].result()
    except KafkaException:  # nobody has joined it yet
        return False
    return bool(group.state == ConsumerGroupState.STABLE)
