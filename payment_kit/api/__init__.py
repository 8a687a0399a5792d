"""The gRPC door: messages in and out, errors as google.rpc.Status, no business rule."""
