"""Tables in, bytes out (图层): the only place that knows colours, zooms and tiles."""
