"""Addresses (标准地址): from what an operator hears to a place and its grid, offline, with a confidence."""
