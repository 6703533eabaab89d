using System.Buffers.Binary;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Wire;
using Xunit;

namespace Weir.Protocol.Tests.Wire;

[Trait("Category", "Unit")]
public sealed class WireReaderTests
{
    [Fact]
    public void Counts_beyond_the_bytes_that_are_left_are_refused_before_anything_is_allocated()
    {
        // 90,000 topics are within the bound, and the smallest topic takes 39 bytes.
        var body = new byte[400_000];
        BinaryPrimitives.WriteUInt32LittleEndian(body.AsSpan(10), 90_000);
        Decode(body);

        var before = GC.GetAllocatedBytesForCurrentThread();
        Decode(body);

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 16 * 1024);

        static void Decode(byte[] body) => Assert.Equal(
            ErrorCode.MalformedFrame,
            Assert.Throws<ProtocolException>(() => WireReader.ReadAll<MetadataResponse>(body, 1)).Code);
    }

    [Fact]
    public void The_smallest_partitions_take_no_more_than_four_times_their_bytes()
    {
        var topics = new TopicInfo[5];
        foreach (ref var topic in topics.AsSpan())
        {
            topic = new TopicInfo
            {
                Partitions = [.. Enumerable.Range(0, ProtocolLimits.PartitionsPerTopic).Select(
                    static i => new PartitionInfo { Partition = i, Replicas = [i], Isr = [i] })],
            };
        }

        using var buffer = new WireBuffer();
        Frames.Append(
            buffer, FrameKind.Response, ApiKey.Metadata, 1, 1,
            new MetadataResponse { Topics = topics });
        var body = buffer.Memory[FrameHeader.Size..];
        WireReader.ReadAll<MetadataResponse>(body, 1);

        var before = GC.GetAllocatedBytesForCurrentThread();
        WireReader.ReadAll<MetadataResponse>(body, 1);

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 4L * body.Length);
    }

    [Fact]
    public void A_node_that_is_in_sync_without_being_a_replica_is_refused()
    {
        using var buffer = new WireBuffer();
        var partition = new PartitionInfo { Replicas = [1, 2], Isr = [2] };
        Frames.Append(buffer, FrameKind.Response, ApiKey.Metadata, 1, 1, partition);
        var body = buffer.Span[FrameHeader.Size..].ToArray();
        Assert.Equal([2], WireReader.ReadAll<PartitionInfo>(body, 1).Isr);

        body[^4] = 3;

        Assert.Throws<ProtocolException>(() => WireReader.ReadAll<PartitionInfo>(body, 1));
    }

    [Fact]
    public void A_boolean_is_0_or_1() =>
        Assert.Throws<ProtocolException>(() => WireReader.ReadAll<MetadataRequest>(new byte[] { 2, 0, 0, 0, 0, 0 }, 1));

    [Theory]
    [InlineData("C328")]
    [InlineData("EDA080")]
    [InlineData("FF")]
    [InlineData("C080")]
    public void Text_that_is_not_UTF8_is_refused(string hex)
    {
        var text = Convert.FromHexString(hex);
        byte[] body = [(byte)text.Length, 0, .. text, 0];

        Assert.Equal(
            ErrorCode.MalformedFrame,
            Assert.Throws<ProtocolException>(() => WireReader.ReadAll<DeleteTopicRequest>(body, 1)).Code);
    }

    [Fact]
    public void Text_over_its_bound_is_refused()
    {
        byte[] longest = [249, 0, .. Enumerable.Repeat((byte)'a', 249), 0];
        Assert.Equal(249, WireReader.ReadAll<DeleteTopicRequest>(longest, 1).Name.Length);

        byte[] tooLong = [250, 0, .. Enumerable.Repeat((byte)'a', 250), 0];
        Assert.Throws<ProtocolException>(() => WireReader.ReadAll<DeleteTopicRequest>(tooLong, 1));
    }

    [Fact]
    public void Null_and_empty_text_differ()
    {
        Assert.Null(WireReader.ReadAll<ConfigEntry>(new byte[] { 0, 0, 0xFF, 0xFF, 0 }, 1).Value);
        Assert.Equal(string.Empty, WireReader.ReadAll<ConfigEntry>(new byte[] { 0, 0, 0, 0, 0 }, 1).Value);
    }

    [Fact]
    public void An_array_over_its_bound_is_refused()
    {
        var body = new byte[1 + 4 + (2 * (ProtocolLimits.TopicsPerRequest + 1)) + 1];
        BinaryPrimitives.WriteUInt32LittleEndian(body.AsSpan(1), ProtocolLimits.TopicsPerRequest + 1);

        Assert.Throws<ProtocolException>(() => WireReader.ReadAll<MetadataRequest>(body, 1));

        BinaryPrimitives.WriteUInt32LittleEndian(body.AsSpan(1), ProtocolLimits.TopicsPerRequest);
        Assert.Equal(
            ProtocolLimits.TopicsPerRequest,
            WireReader.ReadAll<MetadataRequest>(body.AsMemory(0, body.Length - 2), 1).Topics.Length);
    }
}
