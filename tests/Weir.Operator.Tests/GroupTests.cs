using System.Text;
using System.Text.Json.Nodes;
using Weir.Client;
using Weir.Operator.Tests.Support;
using Weir.Protocol.Messages;

namespace Weir.Operator.Tests;

/// <summary>Groups and resets through the scripted API server and a real broker.</summary>
public sealed class GroupTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Group_is_declared_and_its_lag_is_shown()
    {
        await using var bed = await OperatorBed.CreateAsync();
        await using var client = await bed.Broker.ConnectAsync();
        await FillAsync(client, "orders", 5);
        bed.Run();
        var path = bed.PutGroup(
            "mailer",
            """{"mode":"queue","topics":["orders"],"retry":{"maxDeliveries":4},"lag":{"maxRecords":100},"consumerSelector":{"app":"mailer"}}""");
        var group = await bed.Server.WaitForConditionAsync(path, "LagHealthy", "True");
        Assert.Equal(5, (long?)group["status"]!["lag"]!["records"]);
        Assert.Equal("Empty", (string?)group["status"]!["state"]);
        Assert.Equal("app=mailer", (string?)group["status"]!["selector"]);
        var live = await client.Admin.DescribeGroupAsync("mailer", Token);
        Assert.Equal(GroupMode.Queue, live.Declaration.Mode);
        Assert.Equal("4", live.Declaration.Configs.Single(static config => config.Name == "max.deliveries").Value);
    }

    [Fact]
    public async Task Lag_beyond_its_bounds_is_not_healthy()
    {
        await using var bed = await OperatorBed.CreateAsync();
        await using var client = await bed.Broker.ConnectAsync();
        await FillAsync(client, "orders", 5);
        bed.Run();
        var path = bed.PutGroup("billing", """{"topics":["orders"],"lag":{"maxRecords":3}}""");
        await bed.Server.WaitForConditionAsync(path, "LagHealthy", "False", "TooManyRecords");
        await bed.Server.WaitForConditionAsync(path, "Ready", "True");
    }

    [Fact]
    public async Task Lag_that_is_not_known_any_more_is_no_figure()
    {
        await using var bed = await OperatorBed.CreateAsync();
        await using (var client = await bed.Broker.ConnectAsync())
        {
            await FillAsync(client, "orders", 5);
        }

        bed.Run();
        var path = bed.PutGroup("billing", """{"topics":["orders"]}""");
        await bed.Server.WaitForConditionAsync(path, "Ready", "True");
        Assert.Contains("weir_operator_group_lag_records{namespace=\"ns\",name=\"billing\"} 5\n", await FiguresAsync(bed), StringComparison.Ordinal);
        await bed.Broker.StopAsync();
        bed.Server.Change(path, static item => item["metadata"]!["annotations"] = new JsonObject { ["look"] = "again" });
        await bed.Server.WaitForConditionAsync(path, "Ready", "Unknown", "BrokersUnreachable");
        Assert.DoesNotContain("weir_operator_group_lag_records{", await FiguresAsync(bed), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Paused_and_topics_follow_the_specification()
    {
        await using var bed = await OperatorBed.CreateAsync();
        await using var client = await bed.Broker.ConnectAsync();
        await FillAsync(client, "orders", 0);
        await FillAsync(client, "bills", 0);
        bed.Run();
        var path = bed.PutGroup("billing", """{"topics":["orders"]}""");
        await bed.Server.WaitForConditionAsync(path, "Ready", "True");
        bed.PutGroup("billing", """{"topics":["orders","bills"],"paused":true,"owner":"accounts"}""");
        var group = await bed.Server.WaitForConditionAsync(path, "Ready", "True");
        Assert.Equal("Paused", (string?)group["status"]!["state"]);
        var live = await client.Admin.DescribeGroupAsync("billing", Token);
        Assert.Equal(["bills", "orders"], live.Declaration.Topics.Order());
        Assert.Equal("accounts", live.Declaration.Owner);
    }

    [Theory]
    [InlineData("""{"topics":["orders"],"mode":"queue"}""", "ModeMismatch")]
    [InlineData("""{"topics":["orders"],"adoptionPolicy":"Never"}""", "AlreadyExists")]
    [InlineData("""{"topics":["orders","bills"]}""", "ExistsDifferent")]
    [InlineData("""{"topics":[]}""", "InvalidSpec")]
    [InlineData("""{"topics":["orders"],"mode":"stream","deadLetterTopic":"dead"}""", "InvalidSpec")]
    [InlineData("""{"topics":["orders"],"start":{"position":"offset"}}""", "InvalidSpec")]
    public async Task What_cannot_be_done_is_said_and_changes_nothing(string spec, string reason)
    {
        await using var bed = await OperatorBed.CreateAsync();
        await using var client = await bed.Broker.ConnectAsync();
        await FillAsync(client, "orders", 0);
        var before = await client.Admin.CreateGroupAsync(
            "billing", new GroupSpec { Mode = GroupMode.Stream, Topics = ["orders"] }, Token);
        bed.Run();
        await bed.Server.WaitForConditionAsync(bed.PutGroup("billing", spec), "Ready", "False", reason);
        var live = (await client.Admin.DescribeGroupAsync("billing", Token)).Declaration;
        Assert.Equal((before.GroupId, GroupMode.Stream), (live.GroupId, live.Mode));
        Assert.Equal(["orders"], live.Topics);
    }

    [Fact]
    public async Task Group_whose_topic_comes_later_becomes_ready_by_itself()
    {
        await using var bed = await OperatorBed.StartAsync();
        var group = bed.PutGroup("billing", """{"topics":["orders"]}""");
        await bed.Server.WaitForConditionAsync(group, "Ready", "False", "UnknownTopic");
        bed.PutTopic("orders");
        await bed.Server.WaitForConditionAsync(group, "Ready", "True");
    }

    [Theory]
    [InlineData("Retain", 1)]
    [InlineData("Delete", 0)]
    public async Task Deleting_does_what_the_policy_says(string policy, int left)
    {
        await using var bed = await OperatorBed.CreateAsync();
        await using var client = await bed.Broker.ConnectAsync();
        await FillAsync(client, "orders", 0);
        bed.Run();
        var path = bed.PutGroup("billing", $$"""{"topics":["orders"],"deletionPolicy":"{{policy}}"}""");
        await bed.Server.WaitForConditionAsync(path, "Ready", "True");
        bed.Server.Delete(path);
        await bed.Server.WaitAsync("the resource is gone", () => bed.Server.Get(path) is null ? "gone" : null);
        Assert.Equal(left, (await client.Admin.ListGroupsAsync(Token)).Count);
    }

    [Fact]
    public async Task Reset_moves_offsets_once_and_says_from_where_to_where()
    {
        await using var bed = await OperatorBed.CreateAsync();
        await using var client = await bed.Broker.ConnectAsync();
        await FillAsync(client, "orders", 5);
        await client.Admin.CreateGroupAsync("billing", new GroupSpec { Topics = ["orders"] }, Token);
        bed.Run();
        var path = bed.PutReset("again", """{"group":"billing","to":{"position":"offset","offset":3}}""");
        var reset = await bed.Server.WaitForConditionAsync(path, "Ready", "True", "Succeeded");
        Assert.Equal("Succeeded", (string?)reset["status"]!["phase"]);
        var offset = Assert.Single(reset["status"]!["offsets"]!.AsArray())!;
        Assert.Equal(3, (long?)offset["after"]);
        Assert.Equal(3, (await client.Admin.DescribeGroupAsync("billing", Token)).Partitions.Single().Committed);

        // The group goes on, and the reset is looked at again: it is not done again.
        await client.Admin.ResetGroupAsync("billing", new GroupResetSpec { To = ResetTarget.AtOffset(4) }, Token);
        bed.Server.Change(path, static item => item["metadata"]!["annotations"] = new JsonObject { ["look"] = "again" });
        await bed.Server.WaitForConditionAsync(
            bed.PutReset("other", """{"group":"billing","to":{"position":"latest"},"dryRun":true}"""), "Ready", "True", "DryRun");
        Assert.Equal(4, (await client.Admin.DescribeGroupAsync("billing", Token)).Partitions.Single().Committed);
    }

    [Fact]
    public async Task Dry_run_changes_nothing()
    {
        await using var bed = await OperatorBed.CreateAsync();
        await using var client = await bed.Broker.ConnectAsync();
        await FillAsync(client, "orders", 5);
        await client.Admin.CreateGroupAsync("billing", new GroupSpec { Topics = ["orders"] }, Token);
        bed.Run();
        var path = bed.PutReset("try", """{"group":"billing","to":{"position":"latest"},"dryRun":true}""");
        var reset = await bed.Server.WaitForConditionAsync(path, "Ready", "True", "DryRun");
        Assert.Equal(5, (long?)reset["status"]!["offsets"]![0]!["after"]);
        Assert.NotEqual(5, (await client.Admin.DescribeGroupAsync("billing", Token)).Partitions.Single().Committed);
    }

    /// <summary>One-shot work that was done again because the operator had restarted.</summary>
    [Fact]
    public async Task Reset_that_was_cut_off_is_not_sent_again()
    {
        await using var bed = await OperatorBed.CreateAsync();
        await using var client = await bed.Broker.ConnectAsync();
        await FillAsync(client, "orders", 5);
        await client.Admin.CreateGroupAsync("billing", new GroupSpec { Topics = ["orders"] }, Token);
        var path = bed.PutReset("again", """{"group":"billing","to":{"position":"latest"}}""");
        bed.Server.Change(path, static item => item["status"] = new JsonObject { ["phase"] = "Running", ["conditions"] = new JsonArray() });
        bed.Run();
        var reset = await bed.Server.WaitForConditionAsync(path, "Ready", "False", "Interrupted");
        Assert.Equal("Failed", (string?)reset["status"]!["phase"]);
        Assert.NotEqual(5, (await client.Admin.DescribeGroupAsync("billing", Token)).Partitions.Single().Committed);
    }

    [Theory]
    [InlineData("""{"group":"nobody","to":{"position":"latest"}}""", "UnknownGroup")]
    [InlineData("""{"group":"billing","to":{"position":"offset"}}""", "InvalidSpec")]
    [InlineData("""{"group":"billing","to":{"position":"latest"},"partition":1}""", "InvalidSpec")]
    public async Task Reset_that_cannot_be_done_fails_and_says_why(string spec, string reason)
    {
        await using var bed = await OperatorBed.CreateAsync();
        await using var client = await bed.Broker.ConnectAsync();
        await FillAsync(client, "orders", 1);
        await client.Admin.CreateGroupAsync("billing", new GroupSpec { Topics = ["orders"] }, Token);
        bed.Run();
        var path = bed.PutReset("again", spec);
        var reset = await bed.Server.WaitForConditionAsync(path, "Ready", "False", reason);
        Assert.Equal("Failed", (string?)reset["status"]!["phase"]);
    }

    private static async Task FillAsync(WeirClient client, string topic, int records)
    {
        await client.Admin.CreateTopicAsync(topic, ct: Token);
        await using var producer = client.CreateProducer(topic);
        for (var record = 0; record < records; record++)
        {
            await producer.SendAsync(new OutgoingRecord { Value = new byte[10] }, Token);
        }
    }

    private static async Task<string> FiguresAsync(OperatorBed bed)
    {
        using var text = new MemoryStream();
        await bed.Metrics.Registry.CollectAndExportAsTextAsync(text, Token);
        return Encoding.UTF8.GetString(text.ToArray());
    }
}
