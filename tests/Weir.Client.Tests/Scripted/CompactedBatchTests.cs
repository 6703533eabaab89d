using Weir.Protocol.Records;

namespace Weir.Client.Tests.Scripted;

/// <summary>A consumer of a compacted topic: offsets without records are passed over, and nothing else is.</summary>
[Trait("Category", "Integration")]
public sealed class CompactedBatchTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(0, new long[] { 3, 4, 9, 30, 35 })]
    [InlineData(4, new long[] { 4, 9, 30, 35 })]
    [InlineData(5, new long[] { 9, 30, 35 })]
    [InlineData(10, new long[] { 30, 35 })]
    [InlineData(31, new long[] { 35 })]
    [InlineData(36, new long[0])]
    public async Task Reading_passes_over_offsets_without_records(long from, long[] expected)
    {
        await using var cluster = new ScriptedCluster(brokers: 1);
        Append(cluster, 10, 3, 4, 9);
        Append(cluster, 20);
        Append(cluster, 10, 0, 5);
        Append(cluster, 5);
        await using var client = await cluster.ConnectAsync();
        await using var consumer = client.CreateConsumer(
            "t", new ConsumerOptions { Start = ConsumerStart.AtOffset(from), StopAtEnd = true });
        var seen = new List<long>();
        await foreach (var record in consumer.ReadAllAsync(Cancelled))
        {
            Assert.Equal(record.Offset, BitConverter.ToInt64(record.Value!.Value.Span));
            seen.Add(record.Offset);
        }

        Assert.Equal(expected, seen);
        Assert.Equal(45, consumer.Position(0));
    }

    [Fact]
    public async Task Seek_lands_on_the_next_record_that_is_there()
    {
        await using var cluster = new ScriptedCluster(brokers: 1);
        Append(cluster, 100, 10, 20, 30, 40, 50, 99);
        await using var client = await cluster.ConnectAsync();
        await using var consumer = client.CreateConsumer("t", new ConsumerOptions { Start = ConsumerStart.Earliest });
        var seen = new List<long>();
        await foreach (var record in consumer.ReadAllAsync(Cancelled))
        {
            seen.Add(record.Offset);
            if (seen.Count == 2)
            {
                Assert.Equal(21, consumer.Position(0));
                consumer.Seek(0, ConsumerStart.AtOffset(41));
            }
            else if (seen.Count == 4)
            {
                break;
            }
        }

        Assert.Equal([10, 20, 50, 99], seen);
        Assert.Equal(100, consumer.Position(0));
    }

    /// <summary>A compacted batch over so many offsets, with records at some of them whose value is their offset.</summary>
    private static void Append(ScriptedCluster cluster, int count, params int[] deltas)
    {
        var partition = cluster.Partitions[0];
        using var builder = new CompactedBatchBuilder();
        builder.Start(partition.NextOffset);
        foreach (var delta in deltas)
        {
            var offset = partition.NextOffset + delta;
            builder.Add(offset, 1000 + delta, [2, 7, 9, .. BitConverter.GetBytes(offset), 0]);
        }

        partition.Append(
            builder.Seal(
                new RecordBatchHeader
                {
                    TopicId = cluster.TopicId, LastOffsetDelta = count - 1, ProducerId = -1, ProducerEpoch = -1, BaseSequence = -1,
                },
                deleteHorizonMs: 0).Span,
            out _, out _);
    }
}
