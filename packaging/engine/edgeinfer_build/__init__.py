"""Sets up the project folder: environment, engine, libraries; standard library only."""
