using Weir.Protocol.Errors;
using Weir.Protocol.Messages;

namespace Weir.Client.Tests.Integration;

/// <summary>Declaring groups and setting the cluster up through a real broker.</summary>
[Trait("Category", "Integration")]
public sealed class GroupAdminTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Declared_group_is_listed_altered_kept_over_a_restart_and_deleted()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await broker.ConnectAsync();
        await client.Admin.CreateTopicAsync("orders", ct: Cancelled);
        await client.Admin.CreateTopicAsync("dead", ct: Cancelled);
        var created = await client.Admin.CreateGroupAsync(
            "payroll",
            new GroupSpec
            {
                Mode = GroupMode.Queue,
                Topics = ["orders", "new.*"],
                Start = ConsumerStart.AtOffset(7),
                Configs = new Dictionary<string, string?> { ["lock.ms"] = "5000" },
                DeadLetterTopic = "dead",
                Owner = "people",
            },
            Cancelled);
        await client.Admin.AlterGroupAsync(
            "payroll", new GroupChange { Owner = "", Configs = new Dictionary<string, string?> { ["paused"] = "true" } }, Cancelled);

        await broker.StopBrokerAsync();
        await broker.StartBrokerAsync();
        var group = Assert.Single(await client.Admin.ListGroupsAsync(Cancelled));

        Assert.Equal(("payroll", created.GroupId, GroupMode.Queue), (group.Name, group.GroupId, group.Mode));
        Assert.Equal(["orders", "new.*"], group.Topics);
        Assert.Equal((ConsumerStart.AtOffset(7), "dead", null), (group.Start, group.DeadLetterTopic, group.Owner));
        Assert.Equal(
            ["lock.ms=5000", "paused=true"],
            group.Configs.Where(static config => !config.IsDefault).Select(static config => $"{config.Name}={config.Value}"));
        var brokers = (await client.Admin.GetMetadataAsync([], Cancelled)).Brokers;
        Assert.Equal(Assert.Single(brokers).NodeId, group.Coordinator);
        Assert.Equal(1, (await client.Admin.Cluster.DescribeAsync(Cancelled)).Groups);

        await client.Admin.DeleteGroupAsync("payroll", Cancelled);
        Assert.Empty(await client.Admin.ListGroupsAsync(Cancelled));
        await RefusedAsync(ErrorCode.UnknownGroup, () => client.Admin.DeleteGroupAsync("payroll", Cancelled));
    }

    [Fact]
    public async Task Refusals_come_typed_and_a_check_alone_declares_nothing()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await broker.ConnectAsync();
        await RefusedAsync(ErrorCode.UnknownTopic, () => client.Admin.CreateGroupAsync("g", new GroupSpec { Topics = ["none"] }, Cancelled));
        await RefusedAsync(ErrorCode.InvalidGroupName, () => client.Admin.CreateGroupAsync("g g", new GroupSpec { Topics = ["*"] }, Cancelled));
        var checkedOnly = await client.Admin.CreateGroupAsync("g", new GroupSpec { Topics = ["*"], ValidateOnly = true }, Cancelled);
        Assert.Equal(Guid.Empty, checkedOnly.GroupId);
        Assert.Empty(await client.Admin.ListGroupsAsync(Cancelled));
        Assert.Empty(await client.Admin.ListTopicsAsync(Cancelled));

        await client.Admin.CreateGroupAsync("g", new GroupSpec { Topics = ["*"] }, Cancelled);
        await RefusedAsync(ErrorCode.GroupExists, () => client.Admin.CreateGroupAsync("g", new GroupSpec { Topics = ["*"] }, Cancelled));
        await RefusedAsync(ErrorCode.UnknownGroup, () => client.Admin.AlterGroupAsync("h", new GroupChange { Owner = "o" }, Cancelled));
    }

    [Fact]
    public async Task Groups_are_declared_on_use_only_where_the_cluster_is_set_so()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await broker.ConnectAsync();
        var spec = new GroupSpec { Topics = ["*"], OnUse = true };
        var refusal = await RefusedAsync(ErrorCode.NotAuthorized, () => client.Admin.CreateGroupAsync("g", spec, Cancelled));
        Assert.Contains("weir group create g", refusal.Message, StringComparison.Ordinal);

        var allow = new Dictionary<string, string?> { ["declare.groups.on.use"] = "true" };
        await client.Admin.AlterClusterAsync(allow, validateOnly: true, Cancelled);
        await RefusedAsync(ErrorCode.NotAuthorized, () => client.Admin.CreateGroupAsync("g", spec, Cancelled));
        await client.Admin.AlterClusterAsync(allow, ct: Cancelled);
        await client.Admin.CreateGroupAsync("g", spec, Cancelled);
        var setting = Assert.Single((await client.Admin.Cluster.DescribeAsync(Cancelled)).Configs);
        Assert.Equal(("declare.groups.on.use", "true", false), (setting.Name, setting.Value, setting.IsDefault));
    }

    [Fact]
    public async Task Deleting_by_id_leaves_alone_what_was_made_again_under_the_name()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await broker.ConnectAsync();
        var topic = await client.Admin.CreateTopicAsync("t", ct: Cancelled);
        await client.Admin.DeleteTopicAsync("t", topic.TopicId, Cancelled);
        var topicAgain = await client.Admin.CreateTopicAsync("t", ct: Cancelled);
        await RefusedAsync(ErrorCode.UnknownTopic, () => client.Admin.DeleteTopicAsync("t", topic.TopicId, Cancelled));
        Assert.Equal(topicAgain.TopicId, (await client.Admin.DescribeTopicAsync("t", Cancelled)).TopicId);

        var group = await client.Admin.CreateGroupAsync("g", new GroupSpec { Topics = ["t"] }, Cancelled);
        await client.Admin.DeleteGroupAsync("g", group.GroupId, Cancelled);
        var groupAgain = await client.Admin.CreateGroupAsync("g", new GroupSpec { Topics = ["t"] }, Cancelled);
        await RefusedAsync(ErrorCode.UnknownGroup, () => client.Admin.DeleteGroupAsync("g", group.GroupId, Cancelled));
        Assert.Equal(groupAgain.GroupId, (await client.Admin.DescribeGroupAsync("g", Cancelled)).Declaration.GroupId);
    }

    [Fact]
    public async Task Topic_of_the_groups_state_can_be_read_and_nothing_else()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await broker.ConnectAsync();
        await client.Admin.CreateGroupAsync("g", new GroupSpec { Topics = ["*"] }, Cancelled);
        var topic = Assert.Single(await client.Admin.ListTopicsAsync(Cancelled));
        Assert.Equal(("__groups", true, 8), (topic.Name, topic.IsInternal, topic.Partitions.Count));

        await using var producer = client.CreateProducer("__groups");
        await RefusedAsync(ErrorCode.NotAuthorized, async () => await producer.SendAsync(new OutgoingRecord { Value = new byte[1] }, Cancelled));
        await RefusedAsync(ErrorCode.NotAuthorized, () => client.Admin.DeleteTopicAsync("__groups", Cancelled));
        await RefusedAsync(ErrorCode.NotAuthorized, () => client.Admin.AlterTopicAsync("__groups", partitions: 9, ct: Cancelled));
        await RefusedAsync(ErrorCode.InvalidTopicName, () => client.Admin.CreateTopicAsync("__mine", ct: Cancelled));
    }

    private static async Task<WeirException> RefusedAsync(ErrorCode code, Func<Task> call)
    {
        var e = await Assert.ThrowsAsync<WeirException>(call);
        Assert.Equal(code, e.Code);
        return e;
    }
}
