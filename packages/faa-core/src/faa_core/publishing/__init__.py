"""Policies as others find them: a folder or a repository of the Hub with the policy and a card."""
