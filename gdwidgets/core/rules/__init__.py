"""Update rules: how a gradient becomes an update."""
