using System.Text.Json.Nodes;
using Weir.Client;
using Weir.Operator.Tests.Support;
using Weir.Protocol.Errors;

namespace Weir.Operator.Tests;

/// <summary>Topics through the scripted API server and a real broker.</summary>
public sealed class TopicTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Topic_is_created_and_its_figures_are_shown()
    {
        await using var bed = await OperatorBed.StartAsync();
        var path = bed.PutTopic("orders", """{"partitions":3,"retention":{"ms":60000},"config":{"segment.bytes":"1048576"}}""");
        var topic = await bed.Server.WaitForConditionAsync(path, "Ready", "True", "Synced");
        Assert.Equal(3, (int?)topic["status"]!["partitions"]);
        await using var client = await bed.Broker.ConnectAsync();
        var live = await client.Admin.DescribeTopicAsync("orders", Token);
        Assert.Equal(live.TopicId.ToString(), (string?)topic["status"]!["topicId"]);
        Assert.Equal("60000", live.Configs.Single(static config => config.Name == "retention.ms").Value);
    }

    [Fact]
    public async Task Nothing_is_written_once_all_is_as_specified()
    {
        await using var bed = await OperatorBed.StartAsync();
        var path = bed.PutTopic("orders");
        await bed.Server.WaitForConditionAsync(path, "Ready", "True");
        bed.Server.ClearWrites();

        // An annotation makes a whole pass; the second topic's Ready says that the queue has gone round.
        bed.Server.Change(path, static topic => topic["metadata"]!["annotations"] = new JsonObject { ["x"] = "y" });
        await bed.Server.WaitForConditionAsync(bed.PutTopic("other"), "Ready", "True");
        Assert.DoesNotContain(bed.Server.Writes, static write => write.Contains("orders", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Partitions_and_settings_follow_the_specification()
    {
        await using var bed = await OperatorBed.StartAsync();
        var path = bed.PutTopic("orders", """{"partitions":1,"config":{"retention.ms":"5000"}}""");
        await bed.Server.WaitForConditionAsync(path, "Ready", "True");
        bed.PutTopic("orders", """{"partitions":4}""");
        await bed.Server.WaitForConditionAsync(path, "Ready", "True");
        await using var client = await bed.Broker.ConnectAsync();
        var live = await client.Admin.DescribeTopicAsync("orders", Token);
        Assert.Equal(4, live.Partitions.Count);
        Assert.True(live.Configs.Single(static config => config.Name == "retention.ms").IsDefault);
    }

    /// <summary>A topic deleted in the brokers whose resource said Ready for ever.</summary>
    [Fact]
    public async Task Topic_deleted_behind_the_operators_back_is_restored()
    {
        await using var bed = await OperatorBed.StartAsync();
        var path = bed.PutTopic("orders");
        var before = await bed.Server.WaitForConditionAsync(path, "Ready", "True");
        await using var client = await bed.Broker.ConnectAsync();
        await client.Admin.DeleteTopicAsync("orders", Token);
        bed.Server.Change(path, static topic => topic["metadata"]!["annotations"] = new JsonObject { ["look"] = "again" });
        var id = (string?)before["status"]!["topicId"];
        await bed.Server.WaitAsync(
            "the topic has a new id",
            () => bed.Server.Get(path) is { } topic && (string?)topic["status"]!["topicId"] != id ? topic : null);
        await client.Admin.DescribeTopicAsync("orders", Token);
    }

    [Fact]
    public async Task Topic_deleted_behind_the_operators_back_is_reported_where_the_policy_says_so()
    {
        await using var bed = await OperatorBed.StartAsync();
        var path = bed.PutTopic("orders", """{"missingPolicy":"Report"}""");
        await bed.Server.WaitForConditionAsync(path, "Ready", "True");
        await using var client = await bed.Broker.ConnectAsync();
        await client.Admin.DeleteTopicAsync("orders", Token);
        bed.Server.Change(path, static topic => topic["metadata"]!["annotations"] = new JsonObject { ["look"] = "again" });
        await bed.Server.WaitForConditionAsync(path, "Ready", "False", "Missing");
        var gone = await Assert.ThrowsAsync<WeirException>(() => client.Admin.DescribeTopicAsync("orders", Token));
        Assert.Equal(ErrorCode.UnknownTopic, gone.Code);
    }

    [Fact]
    public async Task Change_by_somebody_else_is_taken_back()
    {
        await using var bed = await OperatorBed.StartAsync();
        var path = bed.PutTopic("orders", """{"retention":{"ms":7000}}""");
        await bed.Server.WaitForConditionAsync(path, "Ready", "True");
        await using var client = await bed.Broker.ConnectAsync();
        await client.Admin.AlterTopicAsync("orders", configs: new Dictionary<string, string?> { ["retention.ms"] = "1" }, ct: Token);
        bed.Server.Change(path, static topic => topic["metadata"]!["annotations"] = new JsonObject { ["look"] = "again" });
        await bed.Server.WaitAsync(
            "the drift is told",
            () => bed.Server.List("apis/events.k8s.io/v1/").FirstOrDefault(static e => (string?)e["reason"] == "DriftCorrected"));
        var live = await client.Admin.DescribeTopicAsync("orders", Token);
        Assert.Equal("7000", live.Configs.Single(static config => config.Name == "retention.ms").Value);
    }

    [Fact]
    public async Task Deleting_with_Retain_keeps_the_data()
    {
        await using var bed = await OperatorBed.StartAsync();
        var path = bed.PutTopic("orders");
        await bed.Server.WaitForConditionAsync(path, "Ready", "True");
        bed.Server.Delete(path);
        Assert.Null(bed.Server.Get(path));
        await bed.Server.WaitForConditionAsync(bed.PutTopic("other"), "Ready", "True");
        await using var client = await bed.Broker.ConnectAsync();
        await client.Admin.DescribeTopicAsync("orders", Token);
    }

    [Fact]
    public async Task Deleting_with_Delete_removes_the_topic()
    {
        await using var bed = await OperatorBed.StartAsync();
        var path = bed.PutTopic("orders", """{"deletionPolicy":"Delete"}""");
        await bed.Server.WaitForConditionAsync(path, "Ready", "True");
        bed.Server.Delete(path);
        await bed.Server.WaitAsync("the resource is gone", () => bed.Server.Get(path) is null ? "gone" : null);
        await using var client = await bed.Broker.ConnectAsync();
        Assert.Empty(await client.Admin.ListTopicsAsync(Token));
    }

    /// <summary>A GitOps tool that pruned queues which were not empty.</summary>
    [Fact]
    public async Task Pruned_topic_that_is_not_empty_is_kept_where_the_policy_says_so()
    {
        await using var bed = await OperatorBed.StartAsync();
        var path = bed.PutTopic("orders", """{"deletionPolicy":"Delete","deleteOnlyIfEmpty":true}""");
        await bed.Server.WaitForConditionAsync(path, "Ready", "True");
        await using var client = await bed.Broker.ConnectAsync();
        await using (var producer = client.CreateProducer("orders"))
        {
            await producer.SendAsync(new OutgoingRecord { Value = "x"u8.ToArray() }, Token);
        }

        bed.Server.Delete(path);
        await bed.Server.WaitForConditionAsync(path, "Ready", "False", "NotEmpty");
        await client.Admin.DeleteRecordsAsync("orders", 0, -1, Token);
        await bed.Server.WaitAsync("the resource is gone", () => bed.Server.Get(path) is null ? "gone" : null);
        Assert.Empty(await client.Admin.ListTopicsAsync(Token));
    }

    /// <summary>Namespaces that hung in Terminating because the brokers went first.</summary>
    [Fact]
    public async Task Cluster_that_is_gone_does_not_hold_up_the_deletion_of_a_topic()
    {
        await using var bed = await OperatorBed.StartAsync();
        var path = bed.PutTopic("orders", """{"deletionPolicy":"Delete"}""");
        await bed.Server.WaitForConditionAsync(path, "Ready", "True");
        await bed.Broker.StopAsync();
        bed.Server.Remove(OperatorBed.Clusters + "c");
        bed.Server.Delete(path);
        await bed.Server.WaitAsync("the resource is gone", () => bed.Server.Get(path) is null ? "gone" : null);
    }

    [Fact]
    public async Task Brokers_that_do_not_answer_hold_up_a_deletion_until_they_do()
    {
        await using var bed = await OperatorBed.StartAsync();
        var path = bed.PutTopic("orders", """{"deletionPolicy":"Delete"}""");
        await bed.Server.WaitForConditionAsync(path, "Ready", "True");
        await bed.Broker.StopAsync();
        bed.Server.Delete(path);
        await bed.Server.WaitForConditionAsync(path, "Ready", "Unknown");
        await bed.Broker.StartAgainAsync();
        await bed.Server.WaitAsync("the resource is gone", () => bed.Server.Get(path) is null ? "gone" : null);
        await using var client = await bed.Broker.ConnectAsync();
        Assert.Empty(await client.Admin.ListTopicsAsync(Token));
    }

    [Fact]
    public async Task Brokers_that_do_not_answer_are_reported_and_waited_for()
    {
        await using var bed = await OperatorBed.CreateAsync();
        await bed.Broker.StopAsync();
        bed.Run();
        var path = bed.PutTopic("orders");
        await bed.Server.WaitForConditionAsync(path, "Ready", "Unknown", "BrokersUnreachable");
        await bed.Broker.StartAgainAsync();
        await bed.Server.WaitForConditionAsync(path, "Ready", "True");
    }

    [Fact]
    public async Task Of_two_resources_for_one_topic_the_older_one_has_it()
    {
        await using var bed = await OperatorBed.StartAsync();
        var older = bed.PutTopic("a", """{"topicName":"orders","partitions":2}""", created: "2026-01-01T00:00:00Z");
        await bed.Server.WaitForConditionAsync(older, "Ready", "True");
        var younger = bed.PutTopic(
            "b", """{"topicName":"orders","partitions":5,"deletionPolicy":"Delete"}""", created: "2026-01-02T00:00:00Z");
        await bed.Server.WaitForConditionAsync(younger, "Ready", "False", "Conflict");
        bed.Server.Delete(younger);
        await bed.Server.WaitAsync("the younger one is gone", () => bed.Server.Get(younger) is null ? "gone" : null);
        await using var client = await bed.Broker.ConnectAsync();
        Assert.Equal(2, (await client.Admin.DescribeTopicAsync("orders", Token)).Partitions.Count);
    }

    [Fact]
    public async Task When_the_older_resource_goes_the_younger_one_takes_over()
    {
        await using var bed = await OperatorBed.StartAsync();
        var older = bed.PutTopic("a", """{"topicName":"orders"}""", created: "2026-01-01T00:00:00Z");
        await bed.Server.WaitForConditionAsync(older, "Ready", "True");
        var younger = bed.PutTopic("b", """{"topicName":"orders"}""", created: "2026-01-02T00:00:00Z");
        await bed.Server.WaitForConditionAsync(younger, "Ready", "False", "Conflict");
        bed.Server.Delete(older);
        await bed.Server.WaitForConditionAsync(younger, "Ready", "True");
    }

    [Theory]
    [InlineData("""{"adoptionPolicy":"Never"}""", "AlreadyExists")]
    [InlineData("""{"partitions":7}""", "ExistsDifferent")]
    [InlineData("""{"partitions":1}""", "PartitionsCannotDecrease")]
    [InlineData("""{"kind":"entity"}""", "KindMismatch")]
    [InlineData("""{"topicName":"__groups"}""", "InvalidSpec")]
    [InlineData("""{"topicName":"bad name"}""", "InvalidSpec")]
    [InlineData("""{"durability":"fsync","config":{"durability":"memory"}}""", "InvalidSpec")]
    [InlineData("""{"clusterRef":{"name":"nobody"}}""", "ClusterNotFound")]
    public async Task What_cannot_be_done_is_said_and_changes_nothing(string spec, string reason)
    {
        await using var bed = await OperatorBed.CreateAsync();
        await using var client = await bed.Broker.ConnectAsync();
        var before = await client.Admin.CreateTopicAsync("orders", new TopicSpec { Partitions = 3 }, Token);
        bed.Run();
        var path = bed.PutTopic("orders", spec);
        await bed.Server.WaitForConditionAsync(path, "Ready", "False", reason);
        var after = Assert.Single(await client.Admin.ListTopicsAsync(Token));
        Assert.Equal((before.TopicId, 3), (after.TopicId, after.Partitions.Count));
    }

    [Theory]
    [InlineData("""{"config":{"no.such.setting":"1"}}""", "InvalidConfig")]
    [InlineData("""{"replicas":5}""", null)]
    public async Task What_the_brokers_refuse_is_said_and_creates_nothing(string spec, string? reason)
    {
        await using var bed = await OperatorBed.StartAsync();
        var path = bed.PutTopic("orders", spec);
        await bed.Server.WaitForConditionAsync(path, "Ready", "False", reason);
        await using var client = await bed.Broker.ConnectAsync();
        Assert.Empty(await client.Admin.ListTopicsAsync(Token));
    }

    [Fact]
    public async Task Topic_that_was_there_and_matches_is_adopted()
    {
        await using var bed = await OperatorBed.CreateAsync();
        await using var client = await bed.Broker.ConnectAsync();
        var before = await client.Admin.CreateTopicAsync("orders", new TopicSpec { Partitions = 3 }, Token);
        bed.Run();
        var topic = await bed.Server.WaitForConditionAsync(bed.PutTopic("orders", """{"partitions":3}"""), "Ready", "True");
        Assert.Equal(before.TopicId.ToString(), (string?)topic["status"]!["topicId"]);
    }

    [Fact]
    public async Task Other_namespaces_must_be_allowed_by_the_cluster()
    {
        await using var bed = await OperatorBed.StartAsync();
        var path = bed.PutTopic("orders", ns: "elsewhere");
        await bed.Server.WaitForConditionAsync(path, "Ready", "False", "NamespaceNotAllowed");
        bed.Server.Change(OperatorBed.Clusters + "c", static cluster => cluster["spec"]!["allowedNamespaces"] = new JsonArray("elsewhere"));
        await bed.Server.WaitForConditionAsync(path, "Ready", "True");
    }

    /// <summary>Objects lost after the operator, or its namespace, was made anew.</summary>
    [Fact]
    public async Task Topic_without_a_resource_is_never_deleted()
    {
        await using var bed = await OperatorBed.CreateAsync();
        await using var client = await bed.Broker.ConnectAsync();
        await client.Admin.CreateTopicAsync("precious", ct: Token);
        bed.Run();
        await bed.Server.WaitForConditionAsync(bed.PutTopic("orders"), "Ready", "True");
        Assert.Contains(await client.Admin.ListTopicsAsync(Token), static topic => topic.Name == "precious");
    }

    [Fact]
    public async Task Paused_topic_is_left_alone()
    {
        await using var bed = await OperatorBed.CreateAsync();
        var path = bed.PutTopic("orders");
        bed.Server.Change(path, static topic => topic["metadata"]!["annotations"] = new JsonObject { ["weir.dev/pause"] = "true" });
        bed.Run();
        await bed.Server.WaitForConditionAsync(path, "Paused", "True");
        await using var client = await bed.Broker.ConnectAsync();
        Assert.Empty(await client.Admin.ListTopicsAsync(Token));
        bed.Server.Change(path, static topic => topic["metadata"]!["annotations"]!["weir.dev/pause"] = "false");
        var resumed = await bed.Server.WaitForConditionAsync(path, "Ready", "True");
        Assert.Null(ApiServer.FindCondition(resumed, "Paused"));
    }
}
