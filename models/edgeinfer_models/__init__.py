"""The model catalogue, one TOML file a model, and the guide model that is part of edgeinfer."""
