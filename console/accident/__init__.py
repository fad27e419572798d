"""The accident that started it all, replayed: 3.27 million user tags, one DELETE without a WHERE."""
