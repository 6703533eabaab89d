using System.Reflection;
using k8s.Models;
using Weir.Operator.Framework;

namespace Weir.Operator.Crds;

/// <summary>
/// Writes the definition of a kind from its type, always in the same order and without anything that the API server would take
/// away or add: what is applied is what is read back.
/// </summary>
internal sealed class CrdGenerator
{
    private readonly DocumentationFile _documentation;
    private readonly SchemaGenerator _schemas;

    public CrdGenerator(DocumentationFile documentation)
    {
        _documentation = documentation;
        _schemas = new SchemaGenerator(documentation);
    }

    /// <summary>The definition as nested dictionaries and lists.</summary>
    public Dictionary<string, object> Generate(Type type)
    {
        var entity = Attribute<KubernetesEntityAttribute>(type)
            ?? throw new ArgumentException($"{type} has no {nameof(KubernetesEntityAttribute)}", nameof(type));
        return new Dictionary<string, object>
        {
            ["apiVersion"] = "apiextensions.k8s.io/v1",
            ["kind"] = "CustomResourceDefinition",
            ["metadata"] = new Dictionary<string, object> { ["name"] = $"{entity.PluralName}.{entity.Group}" },
            ["spec"] = new Dictionary<string, object>
            {
                ["group"] = entity.Group,
                ["names"] = Names(type, entity),
                ["scope"] = "Namespaced",
                ["versions"] = new List<object> { Version(type, entity) },
            },
        };
    }

    private static Dictionary<string, object> Names(Type type, KubernetesEntityAttribute entity)
    {
        var names = new Dictionary<string, object>();
        if (Attribute<KubernetesEntityCategoriesAttribute>(type) is { } categories)
        {
            names["categories"] = categories.Categories.Cast<object>().ToList();
        }

        names["kind"] = entity.Kind;
        names["listKind"] = $"{entity.Kind}List";
        names["plural"] = entity.PluralName;
        if (Attribute<KubernetesEntityShortNamesAttribute>(type) is { } shortNames)
        {
            names["shortNames"] = shortNames.ShortNames.Cast<object>().ToList();
        }

        names["singular"] = entity.Kind.ToLowerInvariant();
        return names;
    }

    private static List<object> Columns(Type type) =>
    [
        .. type.GetCustomAttributes<GenericAdditionalPrinterColumnAttribute>().Select(static column =>
        {
            var entry = new Dictionary<string, object>
            {
                ["jsonPath"] = column.JsonPath, ["name"] = column.Name, ["type"] = column.Type,
            };
            if (column.Priority > 0)
            {
                entry["priority"] = column.Priority;
            }

            return entry;
        }),
    ];

    private static T? Attribute<T>(Type type)
        where T : Attribute => type.GetCustomAttribute<T>();

    private Dictionary<string, object> Version(Type type, KubernetesEntityAttribute entity)
    {
        var subresources = new Dictionary<string, object>();
        if (Attribute<ScaleSubresourceAttribute>(type) is { } scale)
        {
            var entry = new Dictionary<string, object>();
            if (scale.LabelSelectorPath is { } selector)
            {
                entry["labelSelectorPath"] = selector;
            }

            entry["specReplicasPath"] = scale.SpecReplicasPath;
            entry["statusReplicasPath"] = scale.StatusReplicasPath;
            subresources["scale"] = entry;
        }

        subresources["status"] = new Dictionary<string, object>();
        return new Dictionary<string, object>
        {
            ["additionalPrinterColumns"] = Columns(type),
            ["name"] = entity.ApiVersion,
            ["schema"] = new Dictionary<string, object> { ["openAPIV3Schema"] = Root(type) },
            ["served"] = true,
            ["storage"] = true,
            ["subresources"] = subresources,
        };
    }

    private Dictionary<string, object> Root(Type type)
    {
        var root = new Dictionary<string, object>();
        if (_documentation.Find(type) is { } description)
        {
            root["description"] = description;
        }

        root["type"] = "object";
        root["required"] = new List<object> { "spec" };
        root["properties"] = new Dictionary<string, object>
        {
            ["apiVersion"] = new Dictionary<string, object> { ["type"] = "string" },
            ["kind"] = new Dictionary<string, object> { ["type"] = "string" },
            ["metadata"] = new Dictionary<string, object> { ["type"] = "object" },
            ["spec"] = _schemas.Of(type.GetProperty("Spec")!.PropertyType),
            ["status"] = _schemas.Of(type.GetProperty("Status")!.PropertyType),
        };
        SchemaGenerator.AddRules(root, type);
        return root;
    }
}
