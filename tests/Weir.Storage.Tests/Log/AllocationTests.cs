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
    public void Append_allocates_nothing_but_now_and_then_a_chunk(int recordsPerBatch)
    {
        var allocated = new List<long>();
        foreach (var (bytes, header) in Prepare(recordsPerBatch))
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            var outcome = _bed.Log.Append(bytes, header, 1, 0, 0);
            allocated.Add(GC.GetAllocatedBytesForCurrentThread() - before);
            Assert.True(outcome is { Code: ErrorCode.None, IsDuplicate: false });
        }

        allocated.Sort();
        Assert.Equal(0, allocated[Batches * 9 / 10]);
    }

    private static (byte[] Bytes, RecordBatchHeader Header)[] Prepare(int records) =>
        Enumerable.Range(0, Batches)
            .Select(i => LogContent.Batch(
                LogTestBed.Identity, Enumerable.Repeat(new byte[8], records).ToList(),
                new BatchProducer(1, 0, i * records)))
            .ToArray();
}
