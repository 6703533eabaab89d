using System.Text;
using Weir.Protocol.Messages;
using Weir.Protocol.Records;

namespace Weir.Client.Tests.Integration;

[Trait("Category", "Integration")]
public sealed class RoundTripTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_is_sent_is_read_with_key_value_headers_and_times()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await broker.ConnectAsync();
        await client.Admin.CreateTopicAsync("t", ct: Cancelled);
        await using var producer = client.CreateProducer("t", new ProducerOptions { Linger = TimeSpan.Zero });
        var time = DateTimeOffset.FromUnixTimeMilliseconds(1_700_000_000_123);
        var sent = await producer.SendAsync(
            new OutgoingRecord
            {
                Key = "k"u8.ToArray(),
                Value = ReadOnlyMemory<byte>.Empty,
                Timestamp = time,
                Headers = [new RecordHeader("a", "1"u8.ToArray()), new RecordHeader("ä", null)],
            },
            Cancelled);
        Assert.Equal((0, 0L, false), (sent.Partition, sent.Offset, sent.Duplicate));
        Assert.Equal(Durability.Fsync, sent.Durability);
        await producer.SendAsync(new OutgoingRecord { Value = null }, Cancelled);

        var read = new List<ConsumedRecord>();
        await foreach (var record in client.CreateConsumer("t", new ConsumerOptions { StopAtEnd = true }).ReadAllAsync(Cancelled))
        {
            read.Add(record);
        }

        Assert.Equal(2, read.Count);
        Assert.Equal("k", Encoding.UTF8.GetString(read[0].Key!.Value.Span));
        Assert.Equal(0, read[0].Value!.Value.Length);
        Assert.Equal(time, read[0].Timestamp);
        Assert.Equal(sent.AppendTime, read[0].AppendTime);
        Assert.Equal(["a", "ä"], read[0].Headers.Select(header => header.Name));
        Assert.Null(read[0].Headers[1].Value);
        Assert.Null(read[1].Key);
        Assert.Null(read[1].Value);
        Assert.Equal([0L, 1L], read.Select(record => record.Offset));
    }

    [Theory]
    [InlineData(CompressionType.None, true)]
    [InlineData(CompressionType.Lz4, false)]
    [InlineData(CompressionType.Zstd, true)]
    public async Task Posted_records_keep_their_order_in_each_partition(CompressionType compression, bool reuseBuffers)
    {
        const int Partitions = 4;
        const int Records = 50_000;
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await broker.ConnectAsync();
        await client.Admin.CreateTopicAsync("t", new TopicSpec { Partitions = Partitions }, Cancelled);
        await using var producer = client.CreateProducer(
            "t", new ProducerOptions { Compression = compression, BatchBytes = 16 * 1024, BufferBytes = 256 * 1024 });
        for (var i = 0; i < Records; i++)
        {
            await producer.PostAsync(
                new OutgoingRecord { Partition = i % Partitions, Value = BitConverter.GetBytes(i) }, Cancelled);
        }

        await producer.FlushAsync(Cancelled);
        Assert.Equal((Records, 0), (producer.RecordsAcknowledged, producer.RecordsFailed));
        Assert.Equal(0, producer.BufferedBytes);

        var next = new int[Partitions];
        var options = new ConsumerOptions { StopAtEnd = true, ReuseBuffers = reuseBuffers, PrefetchBytes = 64 * 1024 };
        await foreach (var record in client.CreateConsumer("t", options).ReadAllAsync(Cancelled))
        {
            Assert.Equal(next[record.Partition]++, record.Offset);
            Assert.Equal((record.Offset * Partitions) + record.Partition, BitConverter.ToInt32(record.Value!.Value.Span));
        }

        Assert.All(next, count => Assert.Equal(Records / Partitions, count));
    }

    [Fact]
    public async Task Many_concurrent_sends_each_get_their_own_offset()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await broker.ConnectAsync();
        await client.Admin.CreateTopicAsync("t", ct: Cancelled);
        await using var producer = client.CreateProducer("t", new ProducerOptions { Linger = TimeSpan.Zero });
        var results = await Task.WhenAll(Enumerable.Range(0, 5_000).Select(i =>
            producer.SendAsync(new OutgoingRecord { Value = BitConverter.GetBytes(i) }, Cancelled).AsTask()));
        Assert.Equal(Enumerable.Range(0, 5_000).Select(i => (long)i), results.Select(result => result.Offset).Order());
    }

    [Fact]
    public async Task Batches_are_read_as_stored()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await broker.ConnectAsync();
        await client.Admin.CreateTopicAsync("t", ct: Cancelled);
        await using var producer = client.CreateProducer("t", new ProducerOptions { BatchBytes = 4096 });
        for (var i = 0; i < 1_000; i++)
        {
            await producer.PostAsync(new OutgoingRecord { Value = new byte[100] }, Cancelled);
        }

        await producer.FlushAsync(Cancelled);
        var records = 0;
        await foreach (var batch in client.CreateConsumer("t", new ConsumerOptions { StopAtEnd = true }).ReadBatchesAsync(Cancelled))
        {
            Assert.Equal(records, batch.BaseOffset);
            Assert.True(RecordBatchHeader.HasValidChecksum(batch.Memory.Span));
            records += batch.RecordCount;
        }

        Assert.Equal(1_000, records);
    }
}
