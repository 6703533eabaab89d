using Weir.Protocol.Errors;
using Weir.Protocol.Records;

namespace Weir.Client.Tests.Scripted;

/// <summary>The one log of a partition that all scripted brokers share, with a broker's rules for sequences.</summary>
internal sealed class ScriptedPartition(int index)
{
    private readonly Dictionary<long, List<(int Base, int Last, long Offset)>> _producers = [];

    public int Index => index;

    public int Leader { get; set; } = 1;

    public int LeaderEpoch { get; set; } = 1;

    public List<byte[]> Batches { get; } = [];

    public long NextOffset { get; set; }

    /// <summary>Appends unless it is there already.</summary>
    public ErrorCode Append(ReadOnlySpan<byte> bytes, out long offset, out bool isDuplicate)
    {
        var header = RecordBatchHeader.Verify(bytes);
        isDuplicate = false;
        offset = NextOffset;
        if (header.ProducerId >= 0)
        {
            var error = CheckSequence(header, out var known);
            if (error != ErrorCode.None || known is not null)
            {
                isDuplicate = known is not null;
                offset = known ?? -1;
                return error;
            }
        }

        var batch = bytes.ToArray();
        RecordBatchHeader.Stamp(batch, NextOffset, 1, NextOffset, LeaderEpoch);
        Batches.Add(batch);
        NextOffset += header.LastOffsetDelta + 1;
        return ErrorCode.None;
    }

    /// <summary>Forgets everything from an offset on, as an unclean election does.</summary>
    public void Truncate(long offset)
    {
        Batches.RemoveAll(batch => Read(batch).BaseOffset >= offset);
        NextOffset = offset;
    }

    /// <summary>The batches from the one with an offset on.</summary>
    public byte[] From(long offset) => [.. Batches.Where(batch => Read(batch).NextOffset > offset).SelectMany(batch => batch)];

    /// <summary>The first four bytes of every value, as a number, in the order of the log.</summary>
    public List<int> Values()
    {
        var values = new List<int>();
        foreach (var batch in Batches)
        {
            var header = Read(batch);
            var records = batch.AsMemory(RecordBatchHeader.Size);
            for (int i = 0, at = 0; i < header.RecordCount; i++)
            {
                var record = RecordReader.Read(records.Span, at, header.BaseTimestampMs);
                at = record.End;
                values.Add(BitConverter.ToInt32(records.Span.Slice(record.ValueStart, record.ValueLength)));
            }
        }

        return values;
    }

    private static RecordBatchHeader Read(byte[] batch)
    {
        Assert.True(RecordBatchHeader.TryRead(batch, out var header, out var fault), fault);
        return header;
    }

    private ErrorCode CheckSequence(RecordBatchHeader header, out long? knownAt)
    {
        knownAt = null;
        var (first, last) = (header.BaseSequence, header.BaseSequence + header.RecordCount - 1);
        if (!_producers.TryGetValue(header.ProducerId, out var known))
        {
            if (first != 0)
            {
                return ErrorCode.UnknownProducer;
            }

            _producers[header.ProducerId] = known = [];
        }
        else if (known.FindIndex(batch => batch.Base == first && batch.Last == last) is >= 0 and var at)
        {
            knownAt = known[at].Offset;
            return ErrorCode.None;
        }
        else if (known[^1].Last + 1 != first)
        {
            return ErrorCode.OutOfOrderSequence;
        }

        known.Add((first, last, NextOffset));
        if (known.Count > 5)
        {
            known.RemoveAt(0);
        }

        return ErrorCode.None;
    }
}
