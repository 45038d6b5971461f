"""Parts of train/publish.py: adapter checks, base weights, model and dataset repositories, cards, differences."""
