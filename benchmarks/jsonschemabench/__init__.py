"""JSONSchemaBench: masks, generation and quality of several engines, item by item, in runs that can be interrupted."""
