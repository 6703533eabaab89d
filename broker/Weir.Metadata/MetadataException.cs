namespace Weir.Metadata;

/// <summary>The metadata cannot be read or would contradict itself. The broker does not start, or stops: it never guesses.</summary>
public sealed class MetadataException(string message) : Exception(message);
