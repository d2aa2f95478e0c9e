"""What the formats share: items, drafts, tokens, times, attribution, regions, usage objects, checks."""
