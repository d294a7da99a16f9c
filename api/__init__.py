"""The outer ring (接口): HTTP, command line, pages."""
