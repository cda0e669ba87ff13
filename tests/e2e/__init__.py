"""The image and the chart as users run them."""
