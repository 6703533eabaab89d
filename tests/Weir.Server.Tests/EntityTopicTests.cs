using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Records;
using Xunit;

namespace Weir.Server.Tests;

/// <summary>What a client that keeps to no rule can do to an entity topic: nothing.</summary>
[Trait("Category", "Integration")]
public sealed class EntityTopicTests
{
    [Theory]
    [InlineData(CompressionType.None)]
    [InlineData(CompressionType.Lz4)]
    [InlineData(CompressionType.Zstd)]
    public async Task Batch_with_one_record_without_key_is_refused_as_a_whole(CompressionType compression)
    {
        await using var broker = await RunningBroker.StartAsync();
        using var client = await RawConnection.GreetAsync(broker);
        var topic = await CreateAsync(client);

        Assert.Equal(ErrorCode.UnkeyedRecord, await client.ProduceAsync(topic, Batch(topic, compression, unkeyed: 57)));
        Assert.Equal(ErrorCode.UnkeyedRecord, await client.ProduceAsync(topic, Batch(topic, compression, unkeyed: 99)));
        Assert.Equal(0, await EndAsync(client));
        Assert.Equal(ErrorCode.None, await client.ProduceAsync(topic, Batch(topic, compression, unkeyed: -1)));
        Assert.Equal(100, await EndAsync(client));
    }

    [Fact]
    public async Task Batch_that_does_not_decompress_to_what_it_says_is_refused()
    {
        await using var broker = await RunningBroker.StartAsync();
        using var client = await RawConnection.GreetAsync(broker);
        var topic = await CreateAsync(client);
        var batch = Batch(topic, CompressionType.Zstd, unkeyed: -1);
        batch.AsSpan(RecordBatchHeader.Size, 16).Fill(0xA5);
        RecordBatchHeader.Seal(batch);

        Assert.Equal(ErrorCode.InvalidBatch, await client.ProduceAsync(topic, batch));
        Assert.Equal(0, await EndAsync(client));
    }

    [Fact]
    public async Task Values_that_no_group_or_topic_can_have_are_refused_with_a_code()
    {
        await using var broker = await RunningBroker.StartAsync();
        using var client = await RawConnection.GreetAsync(broker);
        await CreateAsync(client);
        await RefusedAsync(ErrorCode.InvalidRequest, new CreateGroupRequest { Name = "g", Mode = (GroupMode)200, Topics = ["*"] });
        await RefusedAsync(ErrorCode.InvalidRequest, new CreateGroupRequest { Name = "g", Start = (StartPosition)200, Topics = ["*"] });
        await RefusedAsync(ErrorCode.InvalidRequest, new CreateGroupRequest { Name = "g" });
        await RefusedAsync(ErrorCode.InvalidGroupName, new CreateGroupRequest { Name = "../g", Topics = ["*"] });
        await RefusedAsync(ErrorCode.InvalidTopicName, new CreateGroupRequest { Name = "g", Topics = ["a\0*"] });

        var unknown = await Assert.ThrowsAsync<ProtocolException>(
            () => client.CallAsync<FindCoordinatorRequest, FindCoordinatorResponse>(new FindCoordinatorRequest { Name = "g" }));
        Assert.Equal(ErrorCode.UnknownGroup, unknown.Code);

        async Task RefusedAsync(ErrorCode code, CreateGroupRequest request)
        {
            var e = await Assert.ThrowsAsync<ProtocolException>(
                () => client.CallAsync<CreateGroupRequest, CreateGroupResponse>(request));
            Assert.Equal(code, e.Code);
        }
    }

    [Fact]
    public async Task Coordinator_of_a_group_is_a_broker_that_there_is()
    {
        await using var broker = await RunningBroker.StartAsync();
        using var client = await RawConnection.GreetAsync(broker);
        var created = await client.CallAsync<CreateGroupRequest, CreateGroupResponse>(
            new CreateGroupRequest { Name = "g", Mode = GroupMode.Keyed, Topics = ["*"] });
        var found = await client.CallAsync<FindCoordinatorRequest, FindCoordinatorResponse>(new FindCoordinatorRequest { Name = "g" });
        var described = await client.CallAsync<DescribeBrokerRequest, DescribeBrokerResponse>(new DescribeBrokerRequest());
        Assert.Equal((created.GroupId, GroupMode.Keyed, described.NodeId), (found.GroupId, found.Mode, found.NodeId));
    }

    private static async Task<TopicInfo> CreateAsync(RawConnection client)
    {
        await client.CallAsync<CreateTopicRequest, CreateTopicResponse>(new CreateTopicRequest { Name = "people", Kind = TopicKind.Entity });
        return (await client.CallAsync<MetadataRequest, MetadataResponse>(new MetadataRequest { Topics = ["people"] })).Topics[0];
    }

    private static async Task<long> EndAsync(RawConnection client)
    {
        var described = await client.CallAsync<DescribeTopicRequest, DescribeTopicResponse>(new DescribeTopicRequest { Name = "people" });
        return described.Partitions[0].LogEndOffset;
    }

    private static byte[] Batch(TopicInfo topic, CompressionType compression, int unkeyed)
    {
        using var builder = new RecordBatchBuilder(1024 * 1024);
        for (var i = 0; i < 100; i++)
        {
            Assert.True(builder.TryAdd(0, "key"u8, hasKey: i != unkeyed, new byte[50], hasValue: true, []));
        }

        return builder.Seal(topic.TopicId, 0, BatchProducer.None, compression).ToArray();
    }
}
