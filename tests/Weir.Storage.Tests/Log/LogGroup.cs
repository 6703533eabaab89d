using Microsoft.Extensions.Logging.Abstractions;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Storage.Crash;
using Xunit;

namespace Weir.Storage.Tests.Log;

/// <summary>More logs on the disk and in the flush loop of a test bed.</summary>
internal sealed class LogGroup : IDisposable
{
    private readonly LogTestBed _bed;

    public LogGroup(LogTestBed bed, int count, int firstPartition = 10, Durability durability = Durability.Fsync)
    {
        _bed = bed;
        Logs = Enumerable.Range(firstPartition, count)
            .Select(partition => PartitionLog.Open(
                bed.Files, "partitions", LogTestBed.Identity with { Partition = partition },
                bed.Options with { Durability = durability }, bed.Memory, NullLogger.Instance))
            .ToArray();
    }

    public PartitionLog[] Logs { get; }

    /// <summary>Appends a record to each and queues it for the flush.</summary>
    public void Append()
    {
        for (var i = 0; i < Logs.Length; i++)
        {
            AppendTo(i);
        }
    }

    public void AppendTo(int index)
    {
        var log = Logs[index];
        var (batch, header) = LogContent.Batch(log.Identity, [[1, 2, 3]]);
        Assert.Equal(ErrorCode.None, log.Append(batch, header, 1, log.DurableOffset, _bed.Time.NowMs).Code);
        _bed.Flush.Signal(log);
    }

    public void AppendAndFlush()
    {
        Append();
        _bed.Flush.RunRound();
    }

    public void Dispose()
    {
        foreach (var log in Logs)
        {
            log.Dispose();
        }
    }
}
