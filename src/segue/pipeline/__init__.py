"""Where the stages meet: a reply comes in, events with regions and masks go out."""
