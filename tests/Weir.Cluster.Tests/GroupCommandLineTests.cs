using System.Text.Json;
using Xunit;

namespace Weir.Cluster.Tests;

/// <summary>Groups, entity topics, growth and settings of the cluster as a shell sees them.</summary>
public sealed class GroupCommandLineTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Group_is_declared_listed_altered_and_deleted()
    {
        using var shell = await CommandShell.StartAsync();
        await shell.RunAsync(0, "topic", "create", "orders");
        await shell.RunAsync(0, "topic", "create", "dead");
        string[] create =
        [
            "group", "create", "payroll", "--mode", "keyed", "--topics", "orders,new.*", "--from", "timestamp:2026-01-31T12:00:00Z",
            "--config", "lock.ms=5000", "key.failure=pass", "--dead-letter", "dead", "--owner", "People",
        ];
        Assert.Contains("could be created", (await shell.RunAsync(0, [.. create, "--dry-run"])).Output, StringComparison.Ordinal);
        Assert.Equal("[]", (await shell.RunAsync(0, "group", "list", "--output", "json")).Output.Trim());
        Assert.Contains("Group payroll created.", (await shell.RunAsync(0, create)).Output, StringComparison.Ordinal);
        Assert.Contains("GroupExists", (await shell.RunAsync(1, create)).Error, StringComparison.Ordinal);
        Assert.Contains("exists", (await shell.RunAsync(0, [.. create, "--if-not-exists"])).Output, StringComparison.Ordinal);
        await shell.RunAsync(0, "group", "alter", "payroll", "--topics", "orders", "--unset", "lock.ms", "--owner", "");

        var group = Assert.Single((await shell.JsonAsync("group", "list")).EnumerateArray());
        Assert.Equal(("payroll", "keyed", "dead"), (Text(group, "name"), Text(group, "mode"), Text(group, "deadLetterTopic")));
        Assert.Equal(["orders"], group.GetProperty("topics").EnumerateArray().Select(static topic => topic.GetString()));
        Assert.Equal(("timestamp", 1_769_860_800_000L), (Text(group, "from"), group.GetProperty("fromValue").GetInt64()));
        Assert.Equal(JsonValueKind.Null, group.GetProperty("owner").ValueKind);
        Assert.Equal(("30000", "pass"), (Text(group.GetProperty("configs"), "lock.ms"), Text(group.GetProperty("configs"), "key.failure")));
        Assert.Equal("payroll", (await shell.RunAsync(0, "group", "list", "--output", "value")).Output.Trim());

        // The topic of their state stays out of the way.
        Assert.DoesNotContain("__groups", (await shell.RunAsync(0, "topic", "list")).Output, StringComparison.Ordinal);
        Assert.Contains("__groups", (await shell.RunAsync(0, "topic", "list", "--internal")).Output, StringComparison.Ordinal);
        await shell.RunAsync(0, "group", "delete", "payroll");
        Assert.Equal("[]", (await shell.RunAsync(0, "group", "list", "--output", "json")).Output.Trim());
    }

    [Theory]
    [InlineData(2, "--mode", "group", "create", "g", "--topics", "t")]
    [InlineData(2, "--from 'offset:-1'", "group", "create", "g", "--mode", "queue", "--topics", "t", "--from", "offset:-1")]
    [InlineData(2, "nothing to alter", "group", "alter", "g")]
    [InlineData(2, "--to 'sometime'", "group", "reset", "g", "--to", "sometime")]
    [InlineData(2, "nothing to set", "cluster", "set")]
    [InlineData(1, "did you mean 'lock.ms'", "group", "create", "g", "--mode", "queue", "--topics", "*", "--config", "lok.ms=1")]
    [InlineData(1, "topic 't' does not exist", "group", "create", "g", "--mode", "queue", "--topics", "t")]
    [InlineData(1, "declare.groups.on.use", "cluster", "set", "declare.groups=true")]
    [InlineData(1, "has no topic t", "get", "t", "k")]
    public async Task Mistake_has_its_exit_code_and_says_what_would_do(int exitCode, string hint, params string[] arguments)
    {
        using var shell = await CommandShell.StartAsync();
        Assert.Contains(hint, (await shell.RunAsync(exitCode, arguments)).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Setting_of_the_cluster_is_set_described_and_unset()
    {
        using var shell = await CommandShell.StartAsync();
        await shell.RunAsync(0, "cluster", "set", "declare.groups.on.use=true", "--dry-run");
        Assert.Equal("false", await SettingAsync());
        await shell.RunAsync(0, "cluster", "set", "declare.groups.on.use=true");
        Assert.Equal("true", await SettingAsync());
        Assert.Contains("declare.groups.on.use", (await shell.RunAsync(0, "cluster", "describe")).Output, StringComparison.Ordinal);
        await shell.RunAsync(0, "cluster", "set", "--unset", "declare.groups.on.use");
        Assert.Equal("false", await SettingAsync());

        async Task<string?> SettingAsync() =>
            Text((await shell.JsonAsync("cluster", "describe")).GetProperty("configs").EnumerateArray().Single(), "value");
    }

    [Fact]
    public async Task Entity_is_published_by_its_writer_read_and_deleted()
    {
        using var shell = await CommandShell.StartAsync();
        await shell.RunAsync(0, "topic", "create", "people", "--kind", "entity", "--config", "writer=payroll");
        Assert.Contains("entity topic", (await shell.RunAsync(0, "topic", "describe", "people")).Output, StringComparison.Ordinal);
        await File.WriteAllTextAsync(shell.PathTo("in"), "ann=1\nbob=2\nann=3\n", Token);
        var refused = await shell.RunAsync(4, "produce", "people", "--file", shell.PathTo("in"), "--key", "=");
        Assert.Contains("NotTopicOwner", refused.Error, StringComparison.Ordinal);
        Assert.Contains("UnkeyedRecord", (await shell.RunAsync(4, "produce", "people", "--file", shell.PathTo("in"), "--writer", "payroll")).Error, StringComparison.Ordinal);
        await shell.RunAsync(0, "produce", "people", "--file", shell.PathTo("in"), "--key", "=", "--writer", "payroll");

        Assert.Equal("3\n", (await shell.RunAsync(0, "get", "people", "ann", "--output", "value")).Output);
        Assert.Contains("0/1\t", (await shell.RunAsync(0, "get", "people", "bob")).Output, StringComparison.Ordinal);
        var ann = await shell.JsonAsync("get", "people", "ann");
        Assert.Equal(("ann", "3", 2L, false), (Text(ann, "key"), Text(ann, "value"), ann.GetProperty("offset").GetInt64(), ann.GetProperty("isDeleted").GetBoolean()));
        Assert.Contains("no record", (await shell.RunAsync(1, "get", "people", "eve")).Error, StringComparison.Ordinal);

        await using (var client = await shell.Broker.ConnectAsync())
        {
            await using var producer = client.CreateProducer("people", new Client.ProducerOptions { Writer = "payroll" });
            await producer.SendAsync(new Client.OutgoingRecord { Key = "ann"u8.ToArray() }, Token);
        }

        var deleted = await shell.RunAsync(1, "get", "people", "ann", "--output", "json");
        Assert.Contains("deleted at offset 3", deleted.Error, StringComparison.Ordinal);
        Assert.Equal(JsonValueKind.Null, JsonDocument.Parse(deleted.Output).RootElement.GetProperty("value").ValueKind);
    }

    [Fact]
    public async Task Dead_letter_is_listed_shown_and_replayed_once()
    {
        using var shell = await CommandShell.StartAsync();
        await shell.RunAsync(0, "topic", "create", "orders");
        await shell.RunAsync(0, "topic", "create", "dead");
        await shell.RunAsync(0, "group", "create", "mailer", "--mode", "queue", "--topics", "orders", "--dead-letter", "dead");
        await shell.RunAsync(0, "group", "create", "plain", "--mode", "queue", "--topics", "orders");
        await File.WriteAllTextAsync(shell.PathTo("in"), "a=good\nb=bad\n", Token);
        await shell.RunAsync(0, "produce", "orders", "--file", shell.PathTo("in"), "--key", "=");
        await using (var client = await shell.Broker.ConnectAsync())
        {
            await using var member = client.CreateQueueConsumer("mailer");
            var left = 2;
            await foreach (var delivery in member.ReadAllAsync(Token))
            {
                await (delivery.Offset == 1 ? delivery.RejectAsync("no such customer") : delivery.AcknowledgeAsync());
                if (--left == 0)
                {
                    break;
                }
            }

            // It is there once the topic has it.
            await foreach (var record in client.CreateConsumer("dead").ReadAllAsync(Token))
            {
                break;
            }
        }

        var listed = Assert.Single((await shell.JsonAsync("dlq", "list")).EnumerateArray());
        Assert.Equal(("mailer", "dead", 1, 1), (Text(listed, "group"), Text(listed, "deadLetterTopic"), Number(listed, "count"), Number(listed, "notReplayed")));
        var shown = await shell.JsonAsync("dlq", "show", "mailer");
        Assert.Equal(
            ("no such customer", "orders", 1, "b", "bad"),
            (Text(shown, "reason"), Text(shown, "originalTopic"), Number(shown, "originalOffset"), Text(shown, "key"), Text(shown, "value")));
        Assert.Contains("no such customer", (await shell.RunAsync(0, "dlq", "show", "mailer")).Output, StringComparison.Ordinal);
        Assert.Contains("no such customer", (await shell.RunAsync(0, "dlq", "replay", "mailer", "--dry-run")).Output, StringComparison.Ordinal);

        Assert.Contains("1 dead letter(s) replayed", (await shell.RunAsync(0, "dlq", "replay", "mailer")).Output, StringComparison.Ordinal);
        Assert.Contains("0 dead letter(s) replayed", (await shell.RunAsync(0, "dlq", "replay", "mailer")).Output, StringComparison.Ordinal);
        await shell.RunAsync(0, "dlq", "replay", "mailer", "--partition", "0", "--offset", "0");
        Assert.Equal(0, Number(Assert.Single((await shell.JsonAsync("dlq", "list")).EnumerateArray()), "notReplayed"));
        Assert.Equal("good\nbad\nbad\nbad\n", (await shell.RunAsync(0, "consume", "orders", "--output", "value")).Output);
        var replayed = await shell.JsonAsync("consume", "orders", "--from", "2", "--count", "1");
        var header = Assert.Single(replayed.GetProperty("headers").EnumerateArray());
        Assert.Equal(("weir-replayed-from", "dead/0/0", "b"), (Text(header, "name"), Text(header, "value"), Text(replayed, "key")));

        Assert.Contains("has no dead-letter topic", (await shell.RunAsync(1, "dlq", "show", "plain")).Error, StringComparison.Ordinal);
        Assert.Contains("does not exist", (await shell.RunAsync(1, "dlq", "replay", "none")).Error, StringComparison.Ordinal);
        Assert.Contains("--partition", (await shell.RunAsync(2, "dlq", "replay", "mailer", "--offset", "0")).Error, StringComparison.Ordinal);
        Assert.Contains("no dead letter", (await shell.RunAsync(1, "dlq", "replay", "mailer", "--partition", "0", "--offset", "1")).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Growth_says_where_keys_go()
    {
        using var shell = await CommandShell.StartAsync();
        await shell.RunAsync(0, "topic", "create", "t", "--partitions", "2");
        var grown = await shell.RunAsync(0, "topic", "alter", "t", "--partitions", "5");
        Assert.Contains("5 partitions, of which the first 2 take keys as before", grown.Output, StringComparison.Ordinal);
        Assert.Contains("key.partitions=2", (await shell.RunAsync(0, "topic", "describe", "t")).Output, StringComparison.Ordinal);
        await shell.RunAsync(0, "topic", "alter", "t", "--config", "key.partitions=all");
        var again = await shell.RunAsync(0, "topic", "alter", "t", "--partitions", "6");
        Assert.Contains("6 partition(s), and keys are spread over all of them", again.Output, StringComparison.Ordinal);
    }

    private static int Number(JsonElement element, string name) => element.GetProperty(name).GetInt32();

    private static string? Text(JsonElement element, string name) => element.GetProperty(name).GetString();
}
