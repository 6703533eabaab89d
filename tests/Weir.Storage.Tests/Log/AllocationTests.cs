using Weir.Protocol.Errors;
using Weir.Protocol.Records;
using Weir.Storage.Crash;
using Xunit;

namespace Weir.Storage.Tests.Log;

/// <summary>What an append costs the garbage collector.</summary>
[Trait("Category", "Unit")]
public sealed class AllocationTests : IDisposable
{
    private const int Batches = 200;
    private readonly LogTestBed _bed = new();

    public void Dispose() => _bed.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(1000)]
    public void Append_allocates_nothing_per_record_and_next_to_nothing_per_batch(int recordsPerBatch)
    {
        // The first run leaves the arrays of its chunks in the pool, as a log in use does.
        Append(Prepare(recordsPerBatch, firstSequence: 0));
        _bed.RunFlush();
        _bed.DropTail();
        var batches = Prepare(recordsPerBatch, firstSequence: Batches * recordsPerBatch);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Append(batches);
        var perBatch = (GC.GetAllocatedBytesForCurrentThread() - before) / Batches;
        Assert.True(perBatch < 64, $"{perBatch} bytes per batch");
    }

    private static (byte[] Bytes, RecordBatchHeader Header)[] Prepare(int records, int firstSequence) =>
        Enumerable.Range(0, Batches)
            .Select(i => LogContent.Batch(
                LogTestBed.Identity, Enumerable.Repeat(new byte[8], records).ToList(),
                new BatchProducer(1, 0, firstSequence + (i * records))))
            .ToArray();

    private void Append((byte[] Bytes, RecordBatchHeader Header)[] batches)
    {
        foreach (var (bytes, header) in batches)
        {
            var outcome = _bed.Log.Append(bytes, header, 1, 0, 0);
            Assert.True(outcome is { Code: ErrorCode.None, IsDuplicate: false });
        }
    }
}
