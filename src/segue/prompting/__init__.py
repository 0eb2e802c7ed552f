"""From a question of the user to what a chat model is asked. No torch."""
