using System.Buffers;
using Weir.Protocol.Records;
using Weir.Storage.Files;
using Weir.Storage.Segments;

namespace Weir.Storage.Compaction;

/// <summary>
/// Writes one compacted segment beside the log, under a name that recovery removes. What stays of small neighbouring batches
/// goes into one, so that batches that have lost their records do not stay as empty frames. One thread.
/// </summary>
internal sealed class CompactedSegmentWriter : IDisposable
{
    /// <summary>Bytes of records up to which batches are joined: what a reader of one record has to decompress.</summary>
    public const int JoinedBytes = 32 * 1024;

    private const int BufferBytes = 1024 * 1024;
    private readonly ILogFiles _files;
    private readonly string _directory;
    private readonly LogOptions _options;
    private readonly int _generation;
    private readonly CompactedBatchBuilder _builder = new();
    private readonly ILogFile _file;
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
    private int _buffered;
    private RecordBatchHeader? _open;
    private bool _openIsExact;
    private long _openHorizonMs;

    public CompactedSegmentWriter(
        ILogFiles files, string directory, LogOptions options, long baseOffset, int generation)
    {
        _files = files;
        _directory = directory;
        _options = options;
        _generation = generation;
        Path = $"{directory}/{Segment.FileName(baseOffset)}{Segment.CompactingSuffix}";
        if (files.FileExists(Path))
        {
            files.Delete(Path);
        }

        _file = files.Open(Path, OpenKind.Create);
        Segment = new Segment(_file, baseOffset);
    }

    public string Path { get; }

    /// <summary>What was written so far.</summary>
    public Segment Segment { get; }

    /// <summary>Bytes written and waiting to be written.</summary>
    public int Bytes => Segment.DataBytes + _builder.RecordBytes;

    /// <summary>Writes a batch as it is.</summary>
    public void Copy(ReadOnlyMemory<byte> batch, in RecordBatchHeader header)
    {
        Flush();
        Write(batch.Span, header);
    }

    /// <summary>Writes what stays of a batch, alone or with its neighbours.</summary>
    /// <param name="header">Its header.</param>
    /// <param name="filter">What stays.</param>
    /// <param name="isExact">Whether it must keep its offsets to itself and its producer.</param>
    public void Add(in RecordBatchHeader header, RecordFilter filter, bool isExact)
    {
        if (!CanJoin(header, filter, isExact))
        {
            Flush();
            _builder.Start(header.BaseOffset);
            _open = isExact
                ? header
                : header with { ProducerId = RecordBatchHeader.NoProducerId, ProducerEpoch = -1, BaseSequence = -1 };
            _openIsExact = isExact;
            _openHorizonMs = 0;
        }
        else if (_open is { } open)
        {
            _open = open with
            {
                LastOffsetDelta = (int)(header.NextOffset - 1 - open.BaseOffset),
                AppendTimeMs = header.AppendTimeMs,
                HighWatermark = Math.Max(open.HighWatermark, header.HighWatermark),
                MaxTimestampMs = Math.Max(open.MaxTimestampMs, header.MaxTimestampMs),
                Compression = open.Compression == CompressionType.None ? header.Compression : open.Compression,
            };
        }

        _openHorizonMs = Math.Max(_openHorizonMs, filter.DeleteHorizonMs);
        var records = filter.Records.Span;
        foreach (var kept in filter.Kept)
        {
            _builder.Add(kept.Offset, kept.TimestampMs, records[kept.FieldsStart..kept.End]);
        }
    }

    /// <summary>Writes the rest and the footer, and makes the file durable.</summary>
    public void Complete()
    {
        Flush();
        WriteBuffer();
        Span<byte> footer = stackalloc byte[SegmentFooter.Size];
        new SegmentFooter(
            Segment.BaseOffset, Segment.NextOffset, Segment.DataBytes, Segment.MaxTimestampMs, Segment.LastAppendTimeMs,
            _generation).Write(footer);
        _file.Write(footer, Segment.DataBytes);
        if (!_options.Omits.HasFlag(OmittedRules.SyncBeforeSwap))
        {
            _file.Sync();
        }
    }

    /// <summary>Closes the file; it stays under its name.</summary>
    public void Dispose()
    {
        _file.Dispose();
        _builder.Dispose();
        var buffer = _buffer;
        _buffer = [];
        if (buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Gives the file up.</summary>
    public void Delete()
    {
        Dispose();
        if (_files.FileExists(Path))
        {
            _files.Delete(Path);
        }
    }

    private bool CanJoin(in RecordBatchHeader header, RecordFilter filter, bool isExact) =>
        _open is { } open && !isExact && !_openIsExact
            && open.LeaderEpoch == header.LeaderEpoch
            && header.NextOffset - open.BaseOffset <= int.MaxValue
            && (filter.Kept.Count == 0 || _builder.RecordBytes + filter.KeptBytes <= JoinedBytes)
            && (_openHorizonMs == 0 || filter.DeleteHorizonMs == 0 || _openHorizonMs == filter.DeleteHorizonMs);

    private void Flush()
    {
        if (_open is not { } open)
        {
            return;
        }

        var batch = _builder.Seal(open, _openHorizonMs);
        RecordBatchHeader.TryRead(batch.Span, out var header, out _);
        Write(batch.Span, header);
        _builder.Start(header.NextOffset);
        _open = null;
    }

    private void Write(ReadOnlySpan<byte> batch, in RecordBatchHeader header)
    {
        if (batch.Length > _buffer.Length - _buffered)
        {
            WriteBuffer();
        }

        if (batch.Length > _buffer.Length)
        {
            _file.Write(batch, Segment.DataBytes);
        }
        else
        {
            batch.CopyTo(_buffer.AsSpan(_buffered));
            _buffered += batch.Length;
        }

        Segment.Extend(header, _options.IndexIntervalBytes);
    }

    private void WriteBuffer()
    {
        if (_buffered > 0)
        {
            _file.Write(_buffer.AsSpan(0, _buffered), Segment.DataBytes - _buffered);
            _buffered = 0;
        }
    }
}
