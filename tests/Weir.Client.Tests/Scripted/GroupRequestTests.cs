using System.Collections.Concurrent;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;

namespace Weir.Client.Tests.Scripted;

/// <summary>What a client sends for groups and look-ups, and what it does about answers.</summary>
[Trait("Category", "Integration")]
public sealed class GroupRequestTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Reset_sends_what_was_asked_for_and_shows_each_partition_before_and_after()
    {
        await using var cluster = new ScriptedCluster(brokers: 1);
        var sent = new ConcurrentQueue<ResetGroupRequest>();
        cluster.OnRequest = (_, request) => Note(request, sent, ErrorCode.None);
        await using var client = await cluster.ConnectAsync();

        var offsets = await client.Admin.ResetGroupAsync(
            "g", new GroupResetSpec { To = ResetTarget.By(-5), Topic = "t", Partition = 2, DryRun = true, Force = true }, Cancelled);
        await client.Admin.ResetGroupAsync("g", new GroupResetSpec(), Cancelled);

        Assert.Equal([new ResetOffsets("t", 0, null, 3), new ResetOffsets("t", 1, 9, 4)], offsets);
        var requests = sent.Select(static one => (one.Name, one.To, one.Value, one.Topic, one.Partition, one.DryRun, one.Force));
        Assert.Equal([("g", ResetPosition.Shift, -5, "t", 2, true, true), ("g", ResetPosition.Earliest, 0, null, -1, false, false)], requests);
    }

    [Fact]
    public async Task Shift_is_never_sent_twice_as_it_would_count_twice()
    {
        await using var cluster = new ScriptedCluster(brokers: 1);
        var sent = new ConcurrentQueue<ResetGroupRequest>();
        cluster.OnRequest = (_, request) => Note(request, sent, sent.IsEmpty ? ErrorCode.CoordinatorNotReady : ErrorCode.None);
        await using var client = await cluster.ConnectAsync();

        var e = await Assert.ThrowsAsync<WeirException>(
            () => client.Admin.ResetGroupAsync("g", new GroupResetSpec { To = ResetTarget.By(1) }, Cancelled));
        Assert.Equal((ErrorCode.CoordinatorNotReady, 1), (e.Code, sent.Count));

        sent.Clear();
        await client.Admin.ResetGroupAsync("g", new GroupResetSpec { To = ResetTarget.AtOffset(1) }, Cancelled);
        Assert.Equal(2, sent.Count);
    }

    [Fact]
    public async Task Latest_record_is_asked_for_at_the_new_leader_and_stays_as_it_was_read()
    {
        await using var cluster = new ScriptedCluster(brokers: 2);
        await using var client = await cluster.ConnectAsync();
        var first = await client.GetLatestAsync("t", "k"u8.ToArray(), Cancelled);
        cluster.Move(partition: 0, leader: 2);
        var second = await client.GetLatestAsync("t", "other"u8.ToArray(), Cancelled);
        for (var i = 0; i < 200; i++)
        {
            await client.GetLatestAsync("t", "noise"u8.ToArray(), Cancelled);
        }

        // The scripted broker answers with the key and its own node id.
        Assert.Equal("k1"u8.ToArray(), first!.Value!.Value.ToArray());
        Assert.Equal("other2"u8.ToArray(), second!.Value!.Value.ToArray());
    }

    private static ErrorCode Note(object request, ConcurrentQueue<ResetGroupRequest> sent, ErrorCode error)
    {
        if (request is not ResetGroupRequest reset)
        {
            return ErrorCode.None;
        }

        sent.Enqueue(reset);
        return error;
    }
}
