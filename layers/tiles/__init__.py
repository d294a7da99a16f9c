"""Vector tiles of every layer of a city (矢量瓦片)."""
