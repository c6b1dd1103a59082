"""Deep AutoAugment: layers, learnt one after the other, whose gradient points where that of plain images does."""
