namespace Weir.Metadata;

/// <summary>The metadata cannot be read or would contradict itself. The broker does not start, or stops: it never guesses.</summary>
public class MetadataException : Exception
{
    /// <summary>Creates one.</summary>
    public MetadataException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }
}

/// <summary>A newer version of Weir wrote the metadata. Nothing is wrong with it: this version must not open it.</summary>
public sealed class UnsupportedMetadataException(string what)
    : MetadataException($"{what} is not known to this version: the metadata was written by a newer one, upgrade Weir");
