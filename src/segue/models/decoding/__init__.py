"""What both writers of replies share: how a token is sampled, and sequences that were read."""
