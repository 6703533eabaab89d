using System.Buffers.Binary;
using System.Text;
using Weir.Protocol;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Records;
using Weir.Protocol.Wire;
using Xunit;

namespace Weir.Server.Tests;

/// <summary>Whatever a stranger sends gets an answer or a clean close with one log line, and the broker goes on serving.</summary>
public sealed class BadBytesTests
{
    [Fact]
    public async Task Http_request_is_told_that_this_is_another_protocol()
    {
        await using var broker = await RunningBroker.StartAsync();
        using var stranger = await RawConnection.OpenAsync(broker);
        await stranger.SendAsync(Encoding.ASCII.GetBytes("GET / HTTP/1.1\r\nHost: weir\r\n\r\n"));
        var answer = Encoding.ASCII.GetString(await stranger.ReceiveToEndAsync());
        Assert.StartsWith("HTTP/1.1 400", answer, StringComparison.Ordinal);
        Assert.Equal(
            answer.Length - answer.IndexOf("\r\n\r\n", StringComparison.Ordinal) - 4,
            int.Parse(answer.Split("Content-Length: ")[1].Split('\r')[0], System.Globalization.CultureInfo.InvariantCulture));
        await AssertOneLineAndStillServingAsync(broker, "sent HTTP");
    }

    [Fact]
    public async Task Tls_hello_is_closed_with_a_log_line()
    {
        await using var broker = await RunningBroker.StartAsync();
        using var stranger = await RawConnection.OpenAsync(broker);
        await stranger.SendAsync(new byte[] { 0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xFC, 0x03, 0x03, 1, 2, 3, 4, 5 });
        Assert.Empty(await stranger.ReceiveToEndAsync());
        await AssertOneLineAndStillServingAsync(broker, "sent TLS");
    }

    [Fact]
    public async Task Frame_length_of_4_GiB_is_refused_before_anything_is_allocated_for_it()
    {
        await using var broker = await RunningBroker.StartAsync();
        using var stranger = await RawConnection.OpenAsync(broker);
        var header = new byte[FrameHeader.Size];
        header.AsSpan().Fill(0xFF);
        await stranger.SendAsync(header);
        Assert.Equal(ErrorCode.FrameTooLarge, await stranger.ReceiveErrorAsync());
        Assert.Null(await stranger.ReceiveAsync());
        await AssertOneLineAndStillServingAsync(broker, "FrameTooLarge");
    }

    [Fact]
    public async Task Random_bytes_never_stop_the_broker()
    {
        await using var broker = await RunningBroker.StartAsync();
        var random = new Random(20261123);
        for (var i = 0; i < 200; i++)
        {
            using var stranger = await RawConnection.OpenAsync(broker);
            var bytes = new byte[random.Next(1, 4000)];
            random.NextBytes(bytes);
            try
            {
                await stranger.SendAsync(bytes);
            }
            catch (System.Net.Sockets.SocketException)
            {
                // Closed in our face: as good as an answer.
            }
        }

        await AssertServingAsync(broker);
    }

    [Fact]
    public async Task Cut_off_frame_leaves_nothing_behind()
    {
        await using var broker = await RunningBroker.StartAsync();
        using (var stranger = await RawConnection.GreetAsync(broker))
        {
            var topic = await stranger.CreateTopicAsync("cut");
            var frame = stranger.Encode(
                ApiKey.Produce, new ProduceRequest { TopicId = topic.TopicId, Batch = RawConnection.Batch(topic.TopicId, 100) });
            await stranger.SendAsync(frame.AsMemory(0, frame.Length / 2));
        }

        using var next = await RawConnection.GreetAsync(broker);
        var described = await next.CallAsync<DescribeTopicRequest, DescribeTopicResponse>(new DescribeTopicRequest { Name = "cut" });
        Assert.Equal(0, described.Partitions[0].LogEndOffset);
    }

    [Fact]
    public async Task Nothing_but_a_hello_is_allowed_first()
    {
        await using var broker = await RunningBroker.StartAsync();
        foreach (var api in Enum.GetValues<ApiKey>().Where(static api => api != ApiKey.Hello))
        {
            using var stranger = await RawConnection.OpenAsync(broker);
            await stranger.SendAsync(api, new EmptyMessage());
            Assert.Equal(ErrorCode.UnexpectedMessage, await stranger.ReceiveErrorAsync());
            Assert.Null(await stranger.ReceiveAsync());
        }
    }

    [Fact]
    public async Task Nothing_but_authentication_is_allowed_second()
    {
        await using var broker = await RunningBroker.StartAsync();
        foreach (var api in Enum.GetValues<ApiKey>().Where(static api => api != ApiKey.Authenticate))
        {
            using var stranger = await RawConnection.OpenAsync(broker);
            await stranger.CallAsync<HelloRequest, HelloResponse>(new HelloRequest());
            await stranger.SendAsync(api, new EmptyMessage());
            Assert.Equal(ErrorCode.AuthenticationRequired, await stranger.ReceiveErrorAsync());
        }
    }

    [Fact]
    public async Task Wrong_cluster_and_wrong_node_are_told_so()
    {
        await using var broker = await RunningBroker.StartAsync();
        using var one = await RawConnection.OpenAsync(broker);
        await one.SendAsync(ApiKey.Hello, new HelloRequest { ClusterId = "another" });
        Assert.Equal(ErrorCode.WrongCluster, await one.ReceiveErrorAsync());
        using var other = await RawConnection.OpenAsync(broker);
        await other.SendAsync(ApiKey.Hello, new HelloRequest { NodeId = 7 });
        Assert.Equal(ErrorCode.WrongNode, await other.ReceiveErrorAsync());
    }

    [Fact]
    public async Task Request_that_comes_as_a_push_and_a_push_that_asks_for_an_answer_are_refused()
    {
        await using var broker = await RunningBroker.StartAsync();
        using var one = await RawConnection.GreetAsync(broker);
        await one.SendAsync(ApiKey.Ping, new PingRequest(), FrameKind.Push);
        Assert.Equal(ErrorCode.UnexpectedMessage, await one.ReceiveErrorAsync());
        using var other = await RawConnection.GreetAsync(broker);
        await other.SendAsync(ApiKey.Credit, new CreditPush());
        Assert.Equal(ErrorCode.UnexpectedMessage, await other.ReceiveErrorAsync());
    }

    [Fact]
    public async Task Unknown_mechanism_is_refused()
    {
        await using var broker = await RunningBroker.StartAsync();
        using var stranger = await RawConnection.OpenAsync(broker);
        await stranger.CallAsync<HelloRequest, HelloResponse>(new HelloRequest());
        await stranger.SendAsync(ApiKey.Authenticate, new AuthenticateRequest { Mechanism = "plain" });
        Assert.Equal(ErrorCode.AuthenticationFailed, await stranger.ReceiveErrorAsync());
        Assert.Null(await stranger.ReceiveAsync());
    }

    [Fact]
    public async Task Unknown_api_and_version_are_refused_and_the_connection_goes_on()
    {
        await using var broker = await RunningBroker.StartAsync();
        using var client = await RawConnection.GreetAsync(broker);
        await client.SendAsync((ApiKey)999, new EmptyMessage());
        Assert.Equal(ErrorCode.UnknownApi, await client.ReceiveErrorAsync());
        await client.SendAsync(ApiKey.Ping, new PingRequest(), version: 99);
        Assert.Equal(ErrorCode.UnsupportedVersion, await client.ReceiveErrorAsync());
        await client.CallAsync<PingRequest, EmptyMessage>(new PingRequest());
    }

    [Fact]
    public async Task Count_larger_than_the_frame_is_refused()
    {
        await using var broker = await RunningBroker.StartAsync();
        using var client = await RawConnection.GreetAsync(broker);
        var frame = client.Encode(ApiKey.Metadata, new MetadataRequest { Topics = ["a"] });
        BinaryPrimitives.WriteUInt32LittleEndian(frame.AsSpan(FrameHeader.Size + 1), 250);
        await client.SendAsync(frame);
        Assert.Equal(ErrorCode.MalformedFrame, await client.ReceiveErrorAsync());
        Assert.Null(await client.ReceiveAsync());
        await AssertServingAsync(broker);
    }

    [Fact]
    public async Task Damaged_and_foreign_and_false_batches_are_refused_and_nothing_is_appended()
    {
        await using var broker = await RunningBroker.StartAsync();
        using var client = await RawConnection.GreetAsync(broker);
        var topic = await client.CreateTopicAsync("batches", ("max.batch.bytes", "2048"));
        var damaged = RawConnection.Batch(topic.TopicId);
        damaged[^1] ^= 1;
        Assert.Equal(ErrorCode.CorruptBatch, await client.ProduceAsync(topic, damaged));
        Assert.Equal(ErrorCode.CorruptBatch, await client.ProduceAsync(topic, RawConnection.Batch(Guid.NewGuid())));
        Assert.Equal(ErrorCode.BatchTooLarge, await client.ProduceAsync(topic, RawConnection.Batch(topic.TopicId, size: 4000)));
        Assert.Equal(ErrorCode.InvalidBatch, await client.ProduceAsync(topic, new byte[20]));
        Assert.Equal(ErrorCode.InvalidBatch, await client.ProduceAsync(topic, WithRecordCount(topic.TopicId, 3)));
        Assert.Equal(ErrorCode.InvalidBatch, await client.ProduceAsync(topic, Compacted(topic.TopicId)));
        Assert.Equal(ErrorCode.BatchTooLarge, await client.ProduceAsync(topic, Bomb(topic.TopicId)));
        Assert.Equal(ErrorCode.UnknownPartition, await client.ProduceAsync(topic, RawConnection.Batch(topic.TopicId, partition: 5), 5));
        Assert.Equal(ErrorCode.None, await client.ProduceAsync(topic, RawConnection.Batch(topic.TopicId)));
        var described = await client.CallAsync<DescribeTopicRequest, DescribeTopicResponse>(
            new DescribeTopicRequest { Name = "batches" });
        Assert.Equal(1, described.Partitions[0].HighWatermark);
    }

    private static byte[] WithRecordCount(Guid topicId, int count)
    {
        var batch = RawConnection.Batch(topicId);
        BinaryPrimitives.WriteInt32LittleEndian(batch.AsSpan(68), count);
        BinaryPrimitives.WriteInt32LittleEndian(batch.AsSpan(104), count - 1);
        RecordBatchHeader.Seal(batch);
        return batch;
    }

    /// <summary>A whole batch of the format that compaction alone may write, without gaps.</summary>
    private static byte[] Compacted(Guid topicId)
    {
        using var builder = new CompactedBatchBuilder();
        builder.Start(0);
        builder.Add(0, 1, [2, 7, 2, 8, 0]);
        return builder.Seal(RecordBatchHeader.Verify(RawConnection.Batch(topicId)) with { LastOffsetDelta = 0 }, 0).ToArray();
    }

    /// <summary>Announces a gigabyte behind a few compressed bytes.</summary>
    private static byte[] Bomb(Guid topicId)
    {
        var batch = RawConnection.Batch(topicId);
        batch[45] = (byte)CompressionType.Zstd;
        BinaryPrimitives.WriteInt32LittleEndian(batch.AsSpan(108), 1 << 30);
        RecordBatchHeader.Seal(batch);
        return batch;
    }

    private static async Task AssertOneLineAndStillServingAsync(RunningBroker broker, string part)
    {
        Assert.Single(broker.Log.Lines, line => line.Contains(part, StringComparison.Ordinal));
        await AssertServingAsync(broker);
    }

    private static async Task AssertServingAsync(RunningBroker broker)
    {
        using var client = await RawConnection.GreetAsync(broker);
        await client.CallAsync<PingRequest, EmptyMessage>(new PingRequest());
    }
}
