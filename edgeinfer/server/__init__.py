"""HTTP on the loopback address: OpenAI's dialect and a few routes of edgeinfer's own."""
