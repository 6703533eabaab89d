using System.Buffers;
using K4os.Compression.LZ4;
using Weir.Protocol.Errors;

namespace Weir.Protocol.Records;

/// <summary>Compresses and decompresses the records of one batch. Thread-safe.</summary>
public static class BatchCompression
{
    private const int ZstdLevel = 3;

    [ThreadStatic]
    private static ZstdSharp.Compressor? t_compressor;

    [ThreadStatic]
    private static ZstdSharp.Decompressor? t_decompressor;

    /// <summary>Compresses into <paramref name="target"/>; returns the bytes used, 0 if it does not fit.</summary>
    public static int TryCompress(CompressionType compression, ReadOnlySpan<byte> records, Span<byte> target)
    {
        switch (compression)
        {
            case CompressionType.Lz4:
                return Math.Max(LZ4Codec.Encode(records, target), 0);
            case CompressionType.Zstd:
                t_compressor ??= new ZstdSharp.Compressor(ZstdLevel);
                return t_compressor.TryWrap(records, target, out var written) ? written : 0;
            default:
                throw new ArgumentOutOfRangeException(nameof(compression), compression, "not a codec");
        }
    }

    /// <summary>
    /// The records of a batch, uncompressed. For a compressed batch they are in a pooled array that the caller returns to
    /// <see cref="ArrayPool{T}.Shared"/>; otherwise <paramref name="pooled"/> is null and they are a slice of the batch.
    /// </summary>
    /// <param name="batch">A verified batch.</param>
    /// <param name="header">Its header.</param>
    /// <param name="maxBytes">Most bytes that the caller is ready to hold.</param>
    /// <param name="pooled">The array to return, or null.</param>
    /// <exception cref="ProtocolException">
    /// <see cref="ErrorCode.BatchTooLarge"/> before anything is allocated if the batch announces more than
    /// <paramref name="maxBytes"/>; <see cref="ErrorCode.InvalidBatch"/> if the bytes do not decompress to what it announces.
    /// </exception>
    public static ReadOnlyMemory<byte> Decompress(
        ReadOnlyMemory<byte> batch, in RecordBatchHeader header, int maxBytes, out byte[]? pooled)
    {
        pooled = null;
        if (batch.Length < header.RecordsPosition)
        {
            throw new ProtocolException(ErrorCode.InvalidBatch, $"a compacted batch of {batch.Length} bytes is cut off");
        }

        var records = batch[header.RecordsPosition..];
        if (header.Compression == CompressionType.None)
        {
            return records;
        }

        if (header.UncompressedBytes > maxBytes)
        {
            throw new ProtocolException(
                ErrorCode.BatchTooLarge, $"batch decompresses to {header.UncompressedBytes} bytes, over {maxBytes}");
        }

        var target = ArrayPool<byte>.Shared.Rent(header.UncompressedBytes);
        var written = DecompressTo(header.Compression, records.Span, target.AsSpan(0, header.UncompressedBytes));
        if (written != header.UncompressedBytes)
        {
            ArrayPool<byte>.Shared.Return(target);
            throw written == UnknownCodec
                ? new ProtocolException(ErrorCode.UnsupportedCompression, $"codec {(byte)header.Compression} is not known")
                : new ProtocolException(
                    ErrorCode.InvalidBatch, $"batch does not decompress to {header.UncompressedBytes} bytes");
        }

        pooled = target;
        return target.AsMemory(0, written);
    }

    private const int UnknownCodec = -2;

    private static int DecompressTo(CompressionType compression, ReadOnlySpan<byte> source, Span<byte> target)
    {
        switch (compression)
        {
            case CompressionType.Lz4:
                return LZ4Codec.Decode(source, target);
            case CompressionType.Zstd:
                t_decompressor ??= new ZstdSharp.Decompressor();
                try
                {
                    return t_decompressor.TryUnwrap(source, target, out var written) ? written : -1;
                }
                catch (ZstdSharp.ZstdException)
                {
                    return -1;
                }

            default:
                return UnknownCodec;
        }
    }
}
