"""One broad story of a business, told by the unmodified Python and Node SDKs; every step is asserted by the client."""
