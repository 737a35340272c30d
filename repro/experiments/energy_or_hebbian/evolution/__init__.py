"""Evolution strategies, and the evaluation of their members over processes."""
