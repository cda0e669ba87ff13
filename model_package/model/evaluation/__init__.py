"""How good a bundle is: metrics with intervals, abstention, comparison of two models, plots and the model card."""
