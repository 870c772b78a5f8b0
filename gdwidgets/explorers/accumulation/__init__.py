"""The training loop with and without clearing its gradients."""
