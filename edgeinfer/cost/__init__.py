"""Money: what an answer's electricity costs here, and its tokens elsewhere."""
