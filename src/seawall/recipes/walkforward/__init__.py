"""Walk-forward and cross-validation of a recipe: trained, chosen and tested anew in each fold."""
