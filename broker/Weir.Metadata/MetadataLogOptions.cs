using System.Security.Cryptography;

namespace Weir.Metadata;

/// <summary>Fills a buffer with random bytes.</summary>
public delegate void RandomBytes(Span<byte> destination);

/// <summary>How the metadata log is kept.</summary>
public sealed record MetadataLogOptions
{
    /// <summary>Records between two snapshots, which bound what a start replays. Default 1000.</summary>
    public int RecordsPerSnapshot { get; init; } = 1000;

    /// <summary>Bytes of a segment; the log is trimmed by whole segments. Default 16 MiB.</summary>
    public int SegmentBytes { get; init; } = 16 * 1024 * 1024;

    /// <summary>
    /// Where the partitions' logs are. A cluster is created only while there is none: records without metadata mean that
    /// the metadata is lost. Default "partitions".
    /// </summary>
    public string PartitionsDirectory { get; init; } = "partitions";

    /// <summary>Where ids and seeds come from. Default the operating system's generator.</summary>
    public RandomBytes Random { get; init; } = RandomNumberGenerator.Fill;
}
