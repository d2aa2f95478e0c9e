"""The offline posterior of hosted models: architecture guess x hardware x batch, with the list price as soft evidence."""
